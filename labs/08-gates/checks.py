"""L8: gates and eviction. S000 and S001, the parts about the IDT and the end of a task, on the i386."""
import re

from i386 import CODE_0, gates
from labs import Lab

lab = Lab(__file__, title="Gates and eviction", title_es="Compuertas y desalojo", machine="i386",
          files=["kernel/arch/i386/idt.c", "kernel/arch/i386/isr.S", "kernel/arch/i386/interrupt.c",
              "kernel/sys/trap.c"], starter=[])

SYSTEM_CALLS = {100: "malloco", 101: "chau", 128: "system calls by number", 222: "fork"}
ENDED = {"panic": ("The starter's panic: nobody evicts the task (step 3). A fault of a program ends that program, never the "
                   "kernel.",
                   "Es el pánico del código inicial: nadie desaloja la tarea (paso 3). El fallo de un programa termina ese "
                   "programa, nunca el kernel."),
         "trap": ("A fault of a program became a panic of the kernel. It ends that program, never the kernel.",
                  "El fallo de un programa terminó en un pánico del kernel. Debe terminar ese programa, nunca el kernel.")}
AT_THE_INT = ("The check's own `int` was a fault. Vector (cause) 13 or 11 with error = n * 8 + 2: gate n is absent or of level 0 (step 1). "
              "Vector 100, 101 or 222 itself: it came in, but nobody took it for a system call (step 2). Vector 14 at pc 0x13: "
              "iret took cs for eip, the stack is off by one word: who pushes an error code?",
              "El propio `int` de la prueba fue un fallo. Vector (cause) 13 u 11 con error = n * 8 + 2: la compuerta n falta o es de "
              "nivel 0 (paso 1). El propio vector 100, 101 o 222: entró, pero nadie lo tomó por llamada al sistema (paso 2). "
              "Vector 14 con pc 0x13: iret tomó cs por eip, la pila está corrida una palabra: ¿quién apila un código de error?")
NUMBER = ("-ENOSYS (0xffffffda): there is no system call of the number that syscall() was given. With a vector of its own, the "
          "vector is the number.",
          "-ENOSYS (0xffffffda): no hay una llamada al sistema con el número que recibió syscall(). Con vector propio, el número "
          "es el vector.")
CALLED = {"evicted": AT_THE_INT, "panic": AT_THE_INT, "trap": ENDED["trap"], "number": NUMBER}
SHIFTED = ("The stack is off by one word: isr.S must know which vectors come with an error code (8, 10 to 14, 17), and the way "
           "back must drop as "
           "much as was pushed, as iret does not.",
           "La pila está corrida una palabra: isr.S debe saber qué vectores traen código de error (8, 10 a 14, 17), y al volver "
           "hay que sacar todo lo "
           "que se apiló, porque iret no lo hace.")
SHIFT = {word: SHIFTED for word in ("trap", "panic", "reboot", "silent", "off", "livelock", "deadlock", "evicted", "flood")}
LOOP = ("The task goes back to the instruction that faulted, and faults again, for ever. It must not return to its program.",
        "La tarea vuelve a la instrucción que falló y falla otra vez, sin fin. No debe volver a su programa.")


@lab.outside("I-3", "which vectors a program may use", es="qué vectores puede usar un programa", points=20,
             guest="calls_of_100_and_101",
             hint=("In idt.c: which macro makes a gate that level 3 may use?",
                   "En idt.c: ¿qué macro hace una compuerta que puede usar el nivel 3?"),
             hints={"absent": ("The gate is not there: IDT_ENTRY3(n) wants an _isrN in isr.S.",
                               "La compuerta no está: IDT_ENTRY3(n) necesita un _isrN en isr.S."),
                    "level": ("A gate's DPL says who may use it with `int`: 3 for system calls. With 0 the program gets a "
                              "general protection fault.",
                              "El DPL de la compuerta dice quién puede usarla con `int`: 3 para llamadas al sistema. Con 0, el "
                              "programa recibe una "
                              "excepción de protección general."),
                    "kernel-level": ("A program could pretend that a device or a fault has come: only the system calls have "
                                     "level 3.",
                                     "Un programa podría simular un dispositivo o un fallo: solo las llamadas al sistema tienen "
                                     "nivel 3."),
                    "type": ("Byte 5 is 0xEE: present, DPL 3, interrupt gate (type 0xE), selector of the kernel's code. A trap "
                             "gate (0xF) would leave "
                             "interrupts on.",
                             "El byte 5 es 0xEE: presente, DPL 3, compuerta de interrupción (tipo 0xE), selector de código del "
                             "kernel. Una de trap (0xF) "
                             "dejaría las interrupciones habilitadas.")})
def which_gates(look):
    with look.machine(image=look.image("calls_of_100_and_101")) as m:
        m.run_until("scheduler")
        table = gates(m)
        for vector, what in SYSTEM_CALLS.items():
            g = table[vector]
            if look.expect(g.p, "absent", f"idt[{vector}] ({what}): expected a gate, saw none"):
                look.equal(g.dpl, 3, "level", f"idt[{vector}] ({what}): DPL")
                look.equal((g.type, g.selector), ((0xE, CODE_0),), "type", f"idt[{vector}]: type, selector")
        for vector, g in table.items():
            if g.p and vector not in SYSTEM_CALLS:
                look.equal(g.dpl, 0, "kernel-level", f"idt[{vector}]: DPL")
        for vector in (13, 14, 32):
            look.equal(table[vector].raw[5], 0x8E, "kernel-level", f"byte 5 of idt[{vector}]")


lab.check("R000-1", "int 100 and int 101 from a program",
          es="int 100 e int 101 desde un programa", points=20, guest="calls_of_100_and_101",
          hint=("The argument comes in EAX and the result goes back in EAX, through the trap frame.",
                "El argumento llega en EAX y el resultado vuelve en EAX, a través del trap frame."),
          hints={"result": ("The result must be in the EAX of the trap frame: that is where popal takes it from. syscall() puts "
                            "it there.",
                            "El resultado debe quedar en el EAX del trap frame, de donde lo toma popal. syscall() lo deja ahí."),
                 "argument": ("The calls with a vector of their own have their argument in EAX; only int 0x80 has the number "
                              "there.",
                              "Las llamadas con vector propio llevan su argumento en EAX; solo en int 0x80 va ahí el número."),
                 "registers": ("The program's other registers must come back as they were: what is pushed in isr.S is popped in "
                               "the same order.",
                               "Los demás registros del programa deben volver como estaban: lo que isr.S apila se desapila en "
                               "el mismo orden."), **CALLED})
lab.check("R001-1", "int 222 from a program", es="int 222 desde un programa", points=10, guest="call_of_222",
          hint=("fork needs the same three things as malloco: a gate, an entry, and somebody who knows that 222 is a call.",
                "fork necesita las mismas tres cosas que malloco: compuerta, entrada y alguien que sepa que 222 es una "
                "llamada."), hints=CALLED)
lab.check("I-7", "pages still come, and the program goes on", es="las páginas siguen llegando y el programa continúa", points=5,
          guest="every_lazy_page_comes", needs=["R000-1"],
          hint=("Not every page fault is an error: what provide_page() can resolve is retried.",
                "No todo fallo de página es un error: lo que provide_page() resuelve se reintenta."),
          hints={"evicted": ("An access to a page that was granted ended the task: each kind of lazy page (image, heap, stack, "
                             "tamalloc, malloco) is "
                             "provided by vm_fault(), and none may be left out.",
                             "Un acceso a una página concedida desalojó a la tarea: vm_fault() provee toda clase de página "
                             "perezosa (imagen, heap, pila, "
                             "tamalloc, malloco) y no se puede excluir ninguna.")})
lab.check("I-7-registers", "a page fault changes no register", es="un fallo de página no cambia ningún registro", points=5,
          guest="a_fault_changes_no_register", needs=["R000-1"],
          hint=("The processor pushes an error code for vectors 8, 10 to 14 and 17; iret does not pop it.",
                "El procesador apila un código de error en los vectores 8, 10 a 14 y 17; iret no lo saca."),
          hints=SHIFT)


@lab.outside("R000-8-next", "it does not go back, and the next one runs at once",
             es="no vuelve, y la siguiente corre enseguida", points=5,
             guest="deeds", needs=["R001-1"],
             hint=("From the fault to the switch to another task the program must not run again.",
                   "Desde el fallo hasta el cambio a otra tarea, el programa no debe correr de nuevo."),
             hints={"whom": ("task_evict() wants the task itself: the value of current_task, not its address.",
                             "task_evict() espera la tarea misma: el valor de current_task, no su dirección."),
                    "not-evicted": ("The fault was over and nobody had evicted the task: report_fault() only prints its line.",
                                    "El fallo se atendió sin que nadie desalojara la tarea: report_fault() solo imprime la "
                                    "línea."),
                    "back": ("user_trap() went back to the program although the task had been evicted: what is killed does not "
                             "return, not even until the "
                             "next tick.",
                             "user_trap() volvió al programa aunque la tarea estaba desalojada: lo que está muerto no vuelve, "
                             "ni siquiera hasta el próximo "
                             "tick."),
                    "panic": ENDED["panic"], "trap": ENDED["trap"]})
def the_next_at_once(look):
    with look.machine(image=look.image("deeds")) as m:
        m.run_until("_isr13")                           # int 14, of a child
        task = m.word("current_task")
        m.run_until("user_trap")
        place = m.run_until("task_evict", "trap_return", "context_switch")
        evicted = place == "task_evict"
        if evicted:
            whom = m.word(m.registers()["ESP"] + 4)
            name = m.name(whom) if whom == m.address("current_task") else hex(whom)
            look.expect(whom == task, "whom",
                f"task_evict() of a task at {task:#x}: expected that address, saw {name}", stop=True)
            place = m.run_until("trap_return", "context_switch")
        look.expect(place != "trap_return" or evicted, "not-evicted",
                    "after the fault: expected task_evict(), saw the way back to the program", stop=True)
        look.expect(place == "context_switch", "back", "after the fault: expected a switch to another task, saw the way back to "
                                                       "the program", stop=True)
        m.run_until("trap_return")
        look.expect(m.word("current_task") != task, "back", "after the switch another task runs: expected this, saw the evicted "
                                                            "one")


lab.check("R000-8", "a bad access ends the task",
          es="un acceso inválido termina la tarea", points=10, guest="a_bad_access_ends_the_task",
          needs=["R001-1"],
          hint=("report_fault(), then the task is evicted, and it does not return to its program.",
                "report_fault(), después se desaloja la tarea, y no vuelve a su programa."),
          hints={"code": ("Whoever waits for an evicted task reads -1.", "Quien espera a una tarea desalojada lee -1."),
                 "goes-on": ("The program went on behind the access that it was not allowed.",
                             "El programa siguió más allá del acceso que no le estaba permitido."),
                 "again": ("The same task was evicted more than once: it was marked as killed, and went back to its program all "
                           "the same.",
                           "La misma tarea fue desalojada más de una vez: quedó marcada, pero igual volvió a su programa."),
                 "livelock": LOOP, "flood": LOOP, "timeout": LOOP,
                 "deadlock": ("Nobody runs and somebody waits: a task that is put aside (PAUSED) is not an end; who waits for "
                              "it must be woken. Or was what is "
                              "evicted no task at all?",
                              "Nadie corre y alguien espera: apartar la tarea (PAUSED) no es terminarla; hay que despertar a "
                              "quien la espera. ¿O lo desalojado "
                              "ni siquiera era una tarea?"),
                 "evicted": ("Another task than the one that faulted was evicted: is it the value of current_task, or its "
                             "address?",
                             "Se desalojó a otra tarea y no a la que falló: ¿es el valor de current_task o su dirección?"),
                 "panic": ENDED["panic"], "trap": ENDED["trap"]})
lab.check("R000-8-others", "it never runs again, and the others do", es="no vuelve a correr, y las demás sí", points=5,
          guest="only_that_task_ends", needs=["R000-8"],
          hint=("Which task is the current one, and what happens to the others of its family?",
                "¿Cuál es la tarea actual y qué pasa con las demás de su familia?"),
          hints={"others": ("A task that did nothing wrong ended, too, or lost its turn.",
                            "También terminó, o perdió su turno, una tarea que no hizo nada malo.")})
lab.check("R000-8-kill",
          "a task that kill() has marked does not go back either", es="tampoco vuelve una tarea marcada por kill()", points=5,
          guest="a_killed_task_ends", needs=["R001-1"],
          hint=("kill() only marks a task. It ends at its next trap, when user_trap() is about to let it go.",
                "kill() solo marca a la tarea. Termina en su próxima entrada al kernel, cuando user_trap() está por dejarla "
                "volver."),
          hints={"livelock": ("The marked task computes on: nobody looks at its mark when it goes back to its program. See the "
                              "end of user_trap().",
                              "La tarea marcada sigue calculando: nadie mira la marca cuando vuelve a su programa. Vea el final "
                              "de user_trap()."),
                 "panic": ENDED["panic"], "trap": ENDED["trap"]})


@lab.outside("I-3-error",
             "int 14 and int 32 are protection faults", es="int 14 e int 32 son excepciones de protección", points=10,
             guest="deeds", needs=["R000-8"],
             hint=("One `fault:` line for each, by report_fault(), with the vector and the error code of the frame.",
                   "Una línea `fault:` por cada una, de report_fault(), con el vector y el código de error del trap frame."),
             hints={"none": ("No fault line: call report_fault() before the task ends.",
                             "No hay línea fault: llame a report_fault() antes de que la tarea termine."),
                    "twice": ("More than one fault line for one deed: the task came back.",
                              "Más de una línea fault por un solo acto: la tarea volvió."),
                    "cause": ("`int 14` from level 3 must not reach the page-fault handler: is the gate of level 0?",
                              "`int 14` desde el nivel 3 no debe llegar al manejador de fallos de página: ¿la compuerta es de "
                              "nivel 0?"),
                    "error": ("The error code is the vector * 8 + 2: it says which gate was refused. Did isr.S push a 0 over it?",
                              "El código de error es vector * 8 + 2: dice qué compuerta fue negada. ¿isr.S apiló un 0 "
                              "encima?"), **SHIFT})
def lines_of_deeds(look):
    word, console = look.console(image=look.image("deeds"))
    parts = re.findall(r"^deed: (\w+)\n(.*?)^ended: (-?\d+)$", console, re.M | re.S)
    look.equal([name for name, _, _ in parts], ["int14", "int32", "sweeper", "halt", "store", "load"],
               word if word != "done" else "", "deeds that were done", stop=True)
    wanted = {"int14": (13, 0x72), "int32": (13, 0x102), "sweeper": (13, 0xA0), "halt": (13, 0), "store": (14, 6),
        "load": (14, 4)}
    for name, text, code in parts:
        lines = re.findall(r"^fault: pid=\d+ name=\w+ cause=(\d+) err=(0x[0-9a-f]+) va=(0x[0-9a-f]+) pc=(0x[0-9a-f]+) -> "
                            "killed$", text, re.M)
        look.expect(len(lines) > 0, "none", f"{name}: expected a line `fault: pid=... -> killed`, saw none", stop=True)
        look.equal(len(lines), 1, "twice", f"{name}: fault lines")
        cause, error, va, pc = (int(number, 0) for number in lines[0])
        look.expect(cause == wanted[name][0], "cause", f"{name}: cause: expected {wanted[name][0]}, saw {cause}")
        look.equal(error, wanted[name][1], "error", f"{name}: err")
        if name in ("store", "load"):
            look.equal(va, 0x1004, "error", f"{name}: va")
        look.expect(pc >= 0x08000000, "error", f"{name}: pc: expected an address of the program, saw {pc:#x}")


lab.check("R000-8-forbidden", "what level 3 may not do", es="lo que el nivel 3 no puede hacer", points=3,
          guest="a_forbidden_instruction_ends_the_task", needs=["R000-8"],
          hint=("Every vector that no case of trap_from_user() knows ends the task.",
                "Todo vector que ningún caso de trap_from_user() conoce termina la tarea."))
lab.check("R000-14", "its memory comes back", es="su memoria vuelve", points=2, guest="its_memory_comes_back", needs=["R000-8"],
          hint=("terminate() frees all that a task has: a task that is evicted must come there, too.",
                "terminate() libera todo lo que tiene una tarea: una tarea desalojada también debe pasar por ahí."))
