"""L10: fork by int 222, and the TSS of the child. S001 on the i386."""
from collections import namedtuple

from i386 import (CODE_3, DATA_0, DATA_3, IF, PAGE, STACK, SWEEPER, TSS_AVAILABLE, descriptor, frame_of, gates, gdt,
                  task_selector, tss)
from labs import Lab

lab = Lab(__file__, title="Fork by int 222", title_es="Fork con int 222", machine="i386",
          files=["kernel/arch/i386/idt.c", "kernel/arch/i386/isr.S", "kernel/arch/i386/interrupt.c", "kernel/arch/i386/tss.c",
                 "kernel/arch/i386/arch.c", "kernel/task/fork.c"], starter=[])

NO_GATE = ("The kernel ended the check at its `int 222`. See the fault line: cause=13 with err=0x6f2 is a gate that is absent "
           "or of level 0; "
           "cause=222 means that nobody took the vector for a system call.",
           "El kernel desalojó a la prueba en su `int 222`. Vea la línea fault: cause=13 con err=0x6f2 es una compuerta ausente "
           "o de nivel 0; "
           "cause=222 significa que nadie tomó el vector por llamada al sistema.")
CHILD_TSS = ("The switch to the child went wrong: the processor loads all of its TSS at once. Compare each field with the check "
             "I-4.",
             "Falló el cambio hacia el hijo: el procesador carga toda su TSS de una vez. Compare cada campo con la prueba I-4.")
BAD_TSS = {"trap": CHILD_TSS, "panic": CHILD_TSS, "reboot": CHILD_TSS, "off": CHILD_TSS, "evicted": NO_GATE}


@lab.outside("I-3", "vector 222 has a gate for programs",
             es="el vector 222 tiene una compuerta para programas", points=5, guest="one_child",
             hint=("A gate is made by IDT_ENTRY3 in idt.c, and wants an entry in isr.S.",
                   "La compuerta se hace con IDT_ENTRY3 en idt.c y necesita una entrada en isr.S."),
             hints={"level": ("The gate is of level 0: a program may not use it. Its code runs in level 0 all the same, by the "
                              "selector 0x08.",
                              "La compuerta es de nivel 0: un programa no puede usarla. Su código corre igual en nivel 0, por "
                              "el selector 0x08.")})
def has_gate(look):
    with look.machine(image=look.image("one_child")) as m:
        m.run_until("scheduler")
        g = gates(m)[222]
        if look.expect(g.p, "", "idt[222]: expected a gate, saw none"):
            look.equal(g.raw[5], 0xEE, "level", "byte 5 of idt[222]")


lab.check("R001-1", "the parent gets the child's id, the child 0", es="el padre recibe el id del hijo, y el hijo 0", points=20,
          guest="parent_and_child",
          hint=("Gate, entry, system call; then the end of task_fork().", "Compuerta, entrada, llamada al sistema; después, el "
                                                                          "final de task_fork()."),
          hints={"parent-result": ("The parent's result goes into the EAX of its trap frame: what task_fork() returns is stored "
                                   "there by syscall().",
                                   "El resultado del padre va al EAX de su trap frame: syscall() guarda ahí lo que devuelve "
                                   "task_fork()."),
                 "child-result": ("The child's frame is the parent's but for the result: frame_set_result() of the child's own "
                                  "frame.",
                                  "El frame del hijo es el del padre salvo el resultado: frame_set_result() sobre el frame del "
                                  "hijo."),
                 "never-runs": ("A task that is complete must still be given to the scheduler: task_publish().",
                                "Una tarea completa todavía debe entregarse al scheduler: task_publish()."),
                 "deadlock": ("The child never runs, and its parent waits for it: has it been published, with a context that "
                              "can run?",
                              "El hijo nunca corre y el padre lo espera: ¿se publicó, con un contexto que pueda correr?"),
                 **BAD_TSS})

Start = namedtuple("Start", "child parent frame tss descriptor selector")


def first_switch(look, m):
    """Stopped where the processor is about to jump to a forked child for the first time."""
    m.run_until("task_fork")
    m.run_until("task_publish")
    esp = m.registers()["ESP"]
    child, parent = m.word(esp + 4), m.word(esp + 8)
    frame, selector = frame_of(m, parent), task_selector(m, child)
    for _ in range(100):
        m.run_until("jump_to_task")
        if m.word(m.registers()["ESP"] + 4) & 0xffff == selector:
            return Start(child, parent, frame, tss(m, child), gdt(m, selector >> 3), selector)
    look.expect(False, "never-runs", "a switch to the child: expected one, saw none in 100 switches", stop=True)


@lab.outside("I-4", "the child begins behind int 222",
             es="el hijo empieza detrás de int 222", points=20, guest="one_child",
             needs=["I-3"],
             hint=("The child's TSS is made of the trap frame that int 222 left on the parent's kernel stack.",
                   "La TSS del hijo se arma con el trap frame que int 222 dejó en la pila de kernel del padre."),
             hints={"first": ("The child begins as a new task of the kernel does: context_init() has set that, and "
                              "context_enter_user() changes nothing of it yet. Fill the TSS from the trap frame.",
                              "El hijo empieza como una tarea nueva del kernel: así lo dejó context_init(), y "
                              "context_enter_user() todavía no cambia nada. Llene la TSS con el trap frame."),
                    "last-switch": ("This EIP is the kernel's: the parent's TSS holds the state of its last switch, not of the "
                                    "call. Take the trap frame.",
                                    "Ese EIP es del kernel: la TSS del padre tiene el estado de su último cambio, no el de la "
                                    "llamada. Use el trap frame."),
                    "eip": ("The child goes on at the instruction behind int 222, as its parent does; it does not begin anew.",
                            "El hijo sigue en la instrucción que está detrás de int 222, igual que su padre; no empieza de "
                            "nuevo."),
                    "eax": ("EAX of the child is 0.", "El EAX del hijo es 0."),
                    "registers": ("A register of the child is not what the parent's was at the call.",
                                  "Un registro del hijo no es el que tenía el padre en la llamada."),
                    "selectors": ("The child begins in level 3: its code selector is 0x13, all others are 0x23.",
                                  "El hijo empieza en nivel 3: su selector de código es 0x13 y los demás, 0x23."),
                    "flags": ("EFLAGS are the parent's at the call. With IF = 0 no tick would ever take the processor from the "
                              "child.",
                              "EFLAGS es el del padre en la llamada. Con IF = 0, ningún tick le quitaría el procesador al hijo."),
                    "never-runs": ("The child was not given to the scheduler.", "El hijo no se entregó al scheduler.")})
def begins_behind_the_call(look):
    with look.machine(image=look.image("one_child")) as m:
        start = first_switch(look, m)
        t, frame = start.tss, start.frame
        look.equal(frame["vector"], 222, "", "the vector in the parent's frame")
        look.expect(not m.address("_start") <= t["eip"] < m.address("__kernel_end"),
                    "first" if t["eip"] == m.address("fork_first") else "last-switch",
                    f"eip of the child: expected {frame['eip']:#x}, an address of the program, saw {t['eip']:#x} "
                    f"({m.name(t['eip'])})", stop=True)
        look.equal(t["eip"], frame["eip"], "eip", "eip of the child")
        look.equal(t["eax"], 0, "eax", "eax of the child")
        look.equal(t["cs"], CODE_3, "selectors", "cs of the child")
        for name in ("ss", "ds", "es", "fs", "gs"):
            look.equal(t[name], DATA_3, "selectors", f"{name} of the child")
        look.equal(t["eflags"] & IF, IF, "flags", "IF of the child")
        look.equal(t["eflags"], frame["eflags"], "flags", "eflags of the child")
        for name in ("esp", "ebp", "ebx", "ecx", "edx", "esi", "edi"):
            look.equal(t[name], frame[name], "registers", f"{name} of the child")


@lab.outside("I-4-own", "what the child does not share",
             es="lo que el hijo no comparte", points=15, guest="one_child", needs=["I-3"],
             hint=("A kernel stack, a page directory and a descriptor of its own.", "Pila de kernel, directorio de páginas y "
                                                                                    "descriptor propios."),
             hints={"esp0": ("Two tasks that enter the kernel on one stack overwrite each other: esp0 is the end of the child's "
                             "own page.",
                             "Dos tareas que entran al kernel con la misma pila se pisan: esp0 es el final de la página propia "
                             "del hijo."),
                    "cr3": ("The child needs its own directory: child->space->root.", "El hijo necesita su propio directorio: "
                                                                                      "child->space->root."),
                    "limit": ("The TSS is the processor's layout: 104 bytes, limit 0x67. What the kernel wants to keep besides "
                              "belongs into struct task.",
                              "La TSS es un formato del procesador: 104 bytes, límite 0x67. Lo demás que el kernel quiera "
                              "guardar va en struct task."),
                    "descriptor": ("The descriptor names another TSS than the child's: context_init() has already taken the "
                                   "right one.",
                                   "El descriptor nombra una TSS que no es la del hijo: context_init() ya tomó el correcto."),
                    "twenty": ("gdt[20] belongs to the sweeper.", "gdt[20] es del barrendero.")})
def its_own(look):
    with look.machine(image=look.image("one_child")) as m:
        start = first_switch(look, m)
        t, parents = start.tss, tss(m, start.parent)
        look.equal(t["ss0"], DATA_0, "esp0", "ss0 of the child")
        look.equal(t["esp0"], m.word(start.child + STACK) + PAGE, "esp0", "esp0 of the child")
        look.expect(t["esp0"] != parents["esp0"], "esp0", f"esp0 of child and parent: expected two, saw {t['esp0']:#x} twice")
        look.expect(t["cr3"] not in (parents["cr3"], m.word("kernel_pagetable"), 0), "cr3",
                    f"cr3 of the child: expected a directory of its own, saw {t['cr3']:#x}")
        look.expect(start.selector != SWEEPER * 8, "twenty", f"the child's selector: expected one of a task, saw "
                                                             f"{start.selector:#x}")
        look.equal(descriptor(m.read(m.registers()["GDT"] + 8 * SWEEPER, 8)).base, m.address("sweeper_tss"), "twenty",
            "gdt[20]: base")
        look.equal(start.descriptor.base, start.child, "descriptor", "the child's descriptor: base")
        look.equal(start.descriptor.type, TSS_AVAILABLE, "descriptor", "the child's descriptor: type")
        look.equal(start.descriptor.dpl, 0, "descriptor", "the child's descriptor: DPL")
        look.equal(start.descriptor.limit, 0x67, "limit", "the child's descriptor: limit")


lab.check("R001-3", "registers and flags are the same in both", es="registros y flags son iguales en ambos", points=10,
          guest="same_registers_in_both", needs=["R001-1"],
          hint=("Every register but EAX is copied from the frame.", "Del frame se copian todos los registros menos EAX."),
          hints={"flags": ("EFLAGS, too, are those of the frame.", "EFLAGS también es el del frame.")})
lab.check("R001-3-depth", "a call twelve deep is intact",
          es="una llamada de doce niveles queda intacta", points=5, guest="call_depth_is_intact",
          needs=["R001-1"],
          hint=("ESP and EBP are the user's at the call: they are in the frame.", "ESP y EBP son los del usuario en la llamada: "
                                                                                  "están en el frame."))
lab.check("R001-12", "siblings and grandchildren",
          es="hermanos y nietos", points=5, guest="siblings_and_grandchildren", needs=["R001-1"],
          hint=("Each fork makes a whole task: what does the second one share with the first?",
                "Cada fork hace una tarea entera: ¿qué comparte la segunda con la primera?"))
lab.check("A001-11", "CR0.WP: the kernel's writes respect copy on write",
          es="CR0.WP: las escrituras del kernel respetan la copia al escribir",
          points=15, guest="the_kernel_writes_to_one_side_only", needs=["R001-1"],
          hint=("With CR0.WP = 0, level 0 writes to read-only pages without a fault.",
                "Con CR0.WP = 0, el nivel 0 escribe en páginas de solo lectura sin fallo."),
          hints={"shows-through": ("The kernel wrote through a page that both tasks share: paging_on() must set CR0.WP, so that "
                                   "its write faults and the "
                                   "page is copied.",
                                   "El kernel escribió a través de una página compartida: paging_on() debe poner CR0.WP, para "
                                   "que esa escritura falle y "
                                   "la página se copie.")})
lab.check("R001-11", "too many tasks: -EAGAIN, and the parent goes on",
          es="demasiadas tareas: -EAGAIN, y el padre sigue", points=5,
          guest="no_more_tasks", needs=["R001-1"], append="maxtasks=24",
          hint=("An error of task_create() is the parent's result, as it is.", "Un error de task_create() es el resultado del "
                                                                               "padre, tal cual."))
