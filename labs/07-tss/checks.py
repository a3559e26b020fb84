"""L7: the sweeper as a task of the processor. S000, exercises 2 and 3c, on the i386."""
from i386 import CODE_0, DATA_0, IDLE, IF, NT, PAGE, STACK, SWEEPER, TSS_AVAILABLE, TSS_BUSY, gdt, tasks_in_gdt, tss
from labs import Lab

lab = Lab(__file__, title="The sweeper as a hardware task", title_es="El barrendero como tarea del procesador", machine="i386",
          files=["kernel/arch/i386/gdt.c", "kernel/arch/i386/tss.c", "kernel/arch/i386/interrupt.c",
                 "kernel/task/sweeper.c"], starter=[])


@lab.outside("I-2", "gdt[20] describes the sweeper's TSS", es="gdt[20] describe la TSS del barrendero", points=15, guest="spin",
             hint=("Look at how gdt_init() makes the other descriptors of tasks.",
                   "Vea cómo gdt_init() hace los otros descriptores de tareas."),
             hints={"absent": ("gdt[20] is not there when the scheduler begins: its place is gdt_init(), and its index is "
                               "GDT_TSS_SWEEPER.",
                               "gdt[20] no está cuando empieza el scheduler: su lugar es gdt_init() y su índice es "
                               "GDT_TSS_SWEEPER."),
                    "base": ("The base of a descriptor is cut in three pieces: bits 0 to 15, 16 to 23 and 24 to 31. A piece "
                             "that is missing gives "
                             "the address of something else.",
                             "La base de un descriptor va en tres partes: bits 0 a 15, 16 a 23 y 24 a 31. Si falta una, la "
                             "dirección es la de otra "
                             "cosa."),
                    "level": ("A program could jump to a TSS of level 3: the sweeper's descriptor has DPL 0.",
                              "Un programa podría saltar a una TSS de nivel 3: el descriptor del barrendero tiene DPL 0."),
                    "linked": ("The list of free descriptors was written over it: the loop in gdt_init() must leave 20 out.",
                               "La lista de descriptores libres le escribió encima: el bucle de gdt_init() debe saltar el 20."),
                    "limit": ("The limit is the last valid offset: 104 bytes end at 0x67, counted in bytes (G = 0).",
                              "El límite es el último desplazamiento válido: 104 bytes terminan en 0x67, en bytes (G = 0)."),
                    "type": ("A system descriptor (S = 0) of type 9: a 32-bit TSS that is available.",
                             "Un descriptor de sistema (S = 0) de tipo 9: una TSS de 32 bits disponible.")})
def descriptor(look):
    with look.machine(image=look.image("spin")) as m:
        m.run_until("scheduler")
        d = gdt(m, SWEEPER)
        look.expect(d.p == 1, "absent", "gdt[20] when the scheduler begins: expected present, saw " + d.raw.hex(), stop=True)
        look.expect(d.limit != SWEEPER + 1, "linked",
                    f"gdt[20]: limit: expected 0x67, saw {d.limit:#x}, the index of the next free one")
        look.equal(d.type, TSS_AVAILABLE, "type", "gdt[20].type")
        look.equal(d.s, 0, "type", "gdt[20].s")
        look.equal(d.dpl, 0, "level", "gdt[20].dpl")
        look.equal(d.limit, 0x67, "limit", "gdt[20]: limit")
        look.equal(d.g, 0, "limit", "gdt[20].g")
        if d.base not in (m.address("sweeper_tss"),):
            whose = [index for index, base in tasks_in_gdt(m).items() if base == d.base and index != SWEEPER]
            look.expect(False, "base", f"gdt[20]: base: expected {m.address('sweeper_tss'):#x} (sweeper_tss), saw {d.base:#x}"
                        + (f", as gdt[{whose[0]}] has" if whose else ""))


@lab.outside("I-2-reserved", "no other task gets gdt[20]",
             es="ninguna otra tarea recibe gdt[20]", points=10, needs=["I-2"], guest="many_tasks_and_a_sweep",
             hint=("Free descriptors are linked into a list by gdt_init(): is number 20 among them?",
                   "gdt_init() enlaza los descriptores libres en una lista: ¿está el 20 entre ellos?"),
             hints={"taken": ("gdt_take() gave number 20 to a task: the list of free descriptors must leave it out.",
                              "gdt_take() dio el 20 a una tarea: la lista de descriptores libres debe saltarlo."),
                    "lost": ("Numbers 13 to 19 and from 21 on are for tasks; only 20 is taken out of the list.",
                             "Los números 13 a 19 y del 21 en adelante son para tareas; de la lista solo falta el 20.")})
def reserved(look):
    with look.machine(image=look.image("many_tasks_and_a_sweep")) as m:
        m.run_until("task_publish", times=14)
        d, tasks = gdt(m, SWEEPER), tasks_in_gdt(m)
        look.equal(d.base, m.address("sweeper_tss"), "taken", "gdt[20] when there are 14 tasks: base")
        missing = [i for i in range(IDLE + 1, IDLE + 14) if i not in tasks]
        look.expect(not missing, "lost", f"with 14 tasks all descriptors from 13 to 25 are used: expected this, saw that "
                                         f"{missing} are not")


@lab.outside("I-5", "the sweeper's TSS: level 0, kernel's memory, own stack",
             es="la TSS del barrendero: nivel 0, memoria del kernel, pila propia",
             points=15, guest="spin",
             hint=("Each field of the TSS is what the processor loads when it comes here for the first time.",
                   "Cada campo de la TSS es lo que el procesador carga la primera vez que llega aquí."),
             hints={"empty": ("hardware_sweeper_init() must fill sweeper_tss before the first tick.",
                              "hardware_sweeper_init() debe llenar sweeper_tss antes del primer tick."),
                    "eip": ("It begins at the function that hardware_sweeper_init() is given.",
                            "Empieza en la función que recibe hardware_sweeper_init()."),
                    "level": ("The sweeper is kernel code: all its selectors are of level 0, GDT_CODE_0_SEL and GDT_DATA_0_SEL.",
                              "El barrendero es código del kernel: todos sus selectores son de nivel 0, GDT_CODE_0_SEL y "
                              "GDT_DATA_0_SEL."),
                    "cr3": ("All page tables lie in memory that the kernel maps 1:1: the sweeper needs kernel_pagetable and no "
                            "other directory.",
                            "Todas las tablas están en memoria que el kernel mapea 1:1: el barrendero usa kernel_pagetable y "
                            "ningún otro directorio."),
                    "stack": ("Two tasks on one stack overwrite each other: give it a page of its own; it grows down from the "
                              "page's end.",
                              "Dos tareas en una misma pila se pisan: use una página propia; crece hacia abajo desde el final "
                              "de la página."),
                    "interrupts": ("With IF set a tick may come in the middle of a sweep and switch to somebody else. eflags "
                                   "has EFLAGS_RESERVED only.",
                                   "Con IF en 1 puede llegar un tick en medio del barrido y cambiar de tarea. En eflags va solo "
                                   "EFLAGS_RESERVED.")})
def task_state(look):
    with look.machine(image=look.image("spin")) as m:
        m.run_until("scheduler")
        t = tss(m, m.address("sweeper_tss"))
        look.expect(any(t.values()), "empty",
                    "sweeper_tss when the scheduler begins: expected it filled, saw only zeros", stop=True)
        look.equal(m.name(t["eip"]), "barrendero+0x0", "eip", "sweeper_tss.eip")
        look.equal(t["cs"], CODE_0, "level", "sweeper_tss.cs")
        for name in ("ss", "ds", "es", "fs", "gs"):
            look.equal(t[name], DATA_0, "level", f"sweeper_tss.{name}")
        look.equal(t["cr3"], m.word("kernel_pagetable"), "cr3", "sweeper_tss.cr3")
        look.equal(t["eflags"] & IF, 0, "interrupts", "sweeper_tss.eflags: IF")
        page = (t["esp"] - 1) & ~(PAGE - 1)
        others = {m.word(task + STACK): index for index, task in tasks_in_gdt(m).items() if index != SWEEPER}
        others.update({m.address(name): name for name in ("boot_stack", "emergency_stack")})
        look.expect(page not in others and page >= m.address("_start"), "stack",
                    f"sweeper_tss.esp: expected the end of a page that nobody else has, saw {t['esp']:#x}"
                    + (f", in the stack of {others[page]}" if page in others else ""))


lab.check("R000-10", "a sweep in a hundred ticks",
          es="un barrido cada cien ticks", points=15, guest="a_sweep_in_100_ticks", needs=["I-2", "I-5"],
          hint=("at_tick() is called with the number of each tick: which of them are a sweep's?",
                "A at_tick() le llega el número de cada tick: ¿cuáles son de un barrido?"),
          hints={"never": ("No sweep at all: does at_tick() call hardware_sweeper_enter(), does that jump, and does barrendero() sweep at once, "
                           "without waiting?",
                           "Ningún barrido: ¿llama at_tick() a hardware_sweeper_enter(), esta salta, y barrendero() barre enseguida, sin "
                           "esperar?"),
                 "too-many": ("A sweep at every tick from the hundredth on? The count begins anew after each sweep.",
                              "¿Un barrido por tick a partir del centésimo? La cuenta vuelve a empezar después de cada barrido."),
                 "stops": ("The first sweep came and then no other. What must begin again so that ticks 200 and 300 are seen, "
                           "too?",
                           "Llegó el primer barrido y ningún otro. ¿Qué debe volver a empezar para que también cuenten los "
                           "ticks 200 y 300?"),
                 "deadlock": ("The clock stands still after the sweep: the PIC waits for its end-of-interrupt. It must come "
                              "before the jump, or the "
                              "jump must come back.",
                              "El reloj se detuvo tras el barrido: el PIC espera su fin de interrupción. Debe ir antes del "
                              "salto, o el salto debe volver."),
                 "trap": ("Vector 14: the sweeper's function came to its end; a task has nowhere to return to, so it is an "
                          "endless loop. Vector 13: a "
                          "jump to a TSS that is busy, or to a wrong selector.",
                          "Vector 14: la función del barrendero terminó; una tarea no tiene adónde volver: es un bucle "
                          "infinito. Vector 13: un salto a "
                          "una TSS ocupada o a un selector equivocado.")})
lab.check("R000-11", "it frees what was given up",
          es="libera lo que se entregó", points=10, guest="a_sweep_frees_blocks", needs=["R000-10"],
          hint=("Each round of barrendero() calls sweep() once, with the number of the sweep.",
                "Cada vuelta de barrendero() llama una vez a sweep(), con el número del barrido."))
lab.check("I-6-registers", "the interrupted program notices nothing", es="el programa interrumpido no nota nada", points=10,
          guest="the_interrupted_task_goes_on", needs=["R000-10"],
          hint=("The processor saves the registers in the TSS that TR names when you jump away, and loads them when you jump "
                "back there.",
                "El procesador guarda los registros en la TSS que nombra TR al saltar, y los carga cuando se vuelve a ella."))


@lab.outside("R000-15", "TR is 0xA0 in a sweep and current_task stays",
             es="TR vale 0xA0 en el barrido y current_task no cambia", points=15, needs=["R000-10"],
             guest="spin",
             hint=("Break at task_next_space and look at TR, current_task and gdt[20].",
                   "Ponga un breakpoint en task_next_space y mire TR, current_task y gdt[20]."),
             hints={"no-task": ("The sweep ran in the interrupted task: somebody called barrendero() instead of jumping to its "
                                "TSS.",
                                "El barrido corrió en la tarea interrumpida: alguien llamó a barrendero() en vez de saltar a su "
                                "TSS."),
                    "current": ("The sweeper is a task of the processor only: the scheduler's current_task remains the "
                                "interrupted one.",
                                "El barrendero es tarea solo para el procesador: current_task del scheduler sigue siendo la "
                                "interrumpida."),
                    "comes-back": ("The sweeper goes back to whom it interrupted: read TR (read_tr) before you jump, and jump "
                                   "to that selector "
                                   "afterwards.",
                                   "El barrendero vuelve a quien interrumpió: lea TR (read_tr) antes de saltar y salte a ese "
                                   "selector después."),
                    "mid-sweep": ("An interrupt came in the middle of the sweep: the sweeper's EFLAGS have IF set.",
                                  "Llegó una interrupción en medio del barrido: EFLAGS del barrendero tiene IF en 1."),
                    "off": ("The way back failed: the machine was reset. The sweeper must go on in the task that was "
                            "interrupted, not in another one.",
                            "Falló el regreso: la máquina se reinició. El barrendero debe volver a la tarea interrumpida y no a "
                            "otra."),
                    "trap": ("The way back failed: which selector did the sweeper jump to? Its own is busy.",
                             "Falló el regreso: ¿a qué selector saltó el barrendero? El suyo está ocupado.")})
def who_is_in_tr(look):
    with look.machine(image=look.image("spin")) as m:
        m.run_until("sys_getpid")
        task, selector, directory = m.word("current_task"), m.registers()["TR"], m.registers()["CR3"]
        for n in (1, 2):
            m.run_until("task_next_space")
            inside = m.registers()
            look.equal(inside["TR"], SWEEPER * 8, "no-task", f"TR in sweep {n}", stop=True)
            look.equal(m.word("current_task"), task, "current", f"current_task in sweep {n}")
            look.equal(inside["CR3"], m.word("kernel_pagetable"), "no-task", f"CR3 in sweep {n}")
            look.equal(gdt(m, SWEEPER).raw[5], 0x8B, "no-task", f"byte 5 of gdt[20] in sweep {n}")
            look.equal(gdt(m, selector >> 3).raw[5], (0x89, 0x8B), "no-task", f"byte 5 of the interrupted task's descriptor in "
                                                                              f"sweep {n}")
            m.run_until("trap_return", "context_switch")
            after = m.registers()
            look.expect(after["TR"] != SWEEPER * 8, "mid-sweep", f"sweep {n} is over before anything else happens: expected "
                                                                 f"this, saw an interrupt "
                        "in it", stop=True)
            look.equal(after["TR"], selector, "comes-back", f"TR after sweep {n}", stop=True)
            look.equal(after["CR3"], directory, "comes-back", f"CR3 after sweep {n}")
            look.equal(m.word("current_task"), task, "current", f"current_task after sweep {n}")
            look.equal(gdt(m, SWEEPER).raw[5], 0x89, "comes-back", f"byte 5 of gdt[20] after sweep {n}")


@lab.outside("I-6", "a jump, not a call",
             es="un salto, no una llamada", points=5, needs=["R000-10"], guest="spin",
             hint=("`call far` and an interrupt through a task gate set NT and write the back link; `jmp far` does not.",
                   "`call far` y las compuertas de tarea ponen NT y escriben el enlace previo; `jmp far` no."),
             hints={"nested": ("NT is set, or the TSS has a back link: the sweeper was called. Switch by jump_to_task().",
                               "NT está en 1 o la TSS tiene enlace previo: el barrendero fue llamado. Cambie con "
                               "jump_to_task().")})
def no_call(look):
    with look.machine(image=look.image("spin")) as m:
        for n in (1, 2):
            m.run_until("task_next_space")
            look.equal(m.registers()["EFL"] & NT, 0, "nested", f"NT in sweep {n}")
            look.equal(tss(m, m.address("sweeper_tss"))["previous"], 0, "nested", f"sweeper_tss.previous in sweep {n}")
            m.run_until("trap_return")
            look.equal(m.registers()["EFL"] & NT, 0, "nested", f"NT after sweep {n}")


lab.check("R000-10-many",
          "many tasks, and each lives through a sweep", es="muchas tareas, y cada una sobrevive al barrido", points=5,
          guest="many_tasks_and_a_sweep", needs=["R000-10"],
          hint=("Has a task got a descriptor that is not its own?", "¿Recibió alguna tarea un descriptor que no es suyo?"))
