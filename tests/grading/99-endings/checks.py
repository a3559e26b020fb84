"""Not a lab: see checks.c. The grader's own tests run it."""
from labs import Lab

lab = Lab(__file__, title="Endings", title_es="Finales", machine="riscv", files=["kernel/sys/sys_task.c"])
NAMES = ("good wrong looks_at_nothing waits_for_ever spins reports_for_ever dies exits resets halts floods prints_the_expected "
         "repeats_itself lies_in_a_child hangs_after_printing cuts_records").split()
for name in NAMES:
    lab.check(name, name, es=name, guest=name, points=5, seconds=20, quiet=5, needs=["wrong"] if name == "halts" else [],
              hint=("a general hint", "una pista general"), hints={"three": ("three is not four", "tres no es cuatro")})
