"""What the tests must know of the machine under test: addresses, as in user/tests/*/machine.h, and its words for faults."""
from lib.paths import ON_RISCV

USER_BASE = 0x100000000 if ON_RISCV else 0x08000000
USER_STACK_TOP = 0x3FC0000000 if ON_RISCV else 0x80000000
USER_LIMIT = 0x4000000000 if ON_RISCV else 0x80000000
CAN_FORBID_EXECUTION = ON_RISCV                 # of a page that can be read

# RISC-V has a cause for each kind of access and no error code. On the i386 all page faults are vector 14, and the error code
# tells: bit 1 a write, bit 2 by a program, bit 0 to a page that is there. Fetching an instruction counts as reading it.
CAUSES = {12: "fetch", 13: "load", 15: "store"}
PAGE_FAULT, WRITE = 14, 2


def access_of(cause, error):
    """fetch, load or store: the access of a program that ended with this cause and error code in its `fault:` line."""
    if ON_RISCV:
        assert error == 0
        return CAUSES[cause]
    assert cause == PAGE_FAULT and error in (4, 5, 6, 7), f"cause={cause} err={error:#x}: no page fault of a program"
    return "store" if error & WRITE else "load"
