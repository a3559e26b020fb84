"""L6: chau and the sweeper. S000, exercises 2 and 3c."""
from labs import Lab

lab = Lab(__file__, title="chau and the sweeper", title_es="chau y el barrendero", machine="riscv",
          files=["kernel/mm/malloco.c", "kernel/mm/malloco.h", "kernel/task/sweeper.c", "kernel/sched/clock.c"], starter=[])

REFUSED = ("chau() said no to the start of a block of its own task. Which of its tests was it?",
           "chau() rechazó el comienzo de un bloque de la propia tarea. ¿Cuál de sus comprobaciones fue?")
LIVE = ("A sweep took pages of a block that nobody gave back. Is it the mark that is tested, or that the page is granted (or is "
        "there an = for ==)? Does the address belong to the page whose bit was tested? Where does a block end in chau()?",
        "Un barrido se llevó páginas de un bloque que nadie devolvió. ¿Se comprueba la marca o que la página esté otorgada (o "
        "hay un = en lugar de ==)? ¿La dirección corresponde a la página cuyo bit se miró? ¿Dónde termina un bloque en chau()?")
LEFT = ("Some pages of a marked block are still mapped: does the sweep visit each page of the block, or only the first? Does "
        "chau() mark all of them?",
        "Quedan mapeadas páginas de un bloque marcado: ¿el barrido visita cada página del bloque o solo la primera? ¿chau() las "
        "marca todas?")
NOT_SWEPT = ("No page was taken. Does the sweep run (check R000-10)? Does it find the task, and the marks?",
             "No se llevó ninguna página. ¿El barrido se ejecuta (prueba R000-10)? ¿Encuentra la tarea y las marcas?")
PANIC = ("The line above says which rule was broken. A frame that is freed twice: is its entry cleared by the first sweep? "
         "vm->resident: the counts must follow what is unmapped (vm_free_cleared() sees to that). A lock: task_next_space() hands "
         "over each address space locked, and the sweep must release it.",
         "La línea de arriba dice qué regla se rompió. Un marco liberado dos veces: ¿el primer barrido vació su entrada? "
         "vm->resident: los contadores deben acompañar lo que se quita (vm_free_cleared() se ocupa). Un lock: task_next_space() "
         "entrega cada espacio de direcciones con su lock tomado, y el barrido debe soltarlo.")
TRAP = ("Where nothing was ever touched there is no page table: leaf_find() gives NULL, and an entry may be not valid. Ask "
        "before you look into it.",
        "Donde nunca se tocó nada no hay tabla de páginas: leaf_find() da NULL, y una entrada puede no ser válida. Pregunte "
        "antes de mirar adentro.")
TOO_MANY = ("There are more sweeps than ticks / 100. Every hart has a timer, but only the boot hart counts ticks: is the hook "
            "called on that one only? Is one sweep told as due just once?",
            "Hay más barridos que ticks / 100. Cada hart tiene su timer, pero solo el hart de arranque cuenta ticks: ¿el hook se"
            " llama solo en ese? ¿Cada barrido se anuncia una sola vez?")
NEVER = ("The sweeper never ran: who calls the tick hook, who wakes the sweeper, and on what does it sleep?",
         "El barrendero nunca corrió: ¿quién llama al hook del tick, quién despierta al barrendero, y sobre qué duerme?")
LATE = ("Sweep n must begin at tick 100 n: is it due at a multiple of 100? Is it woken, or does it wait for something else as "
        "well?",
        "El barrido n debe comenzar en el tick 100 n: ¿corresponde a un múltiplo de 100? ¿Se lo despierta, o además espera otra "
        "cosa?")
LOCK = ("Who took a lock did not give it back: task_next_space() hands over each address space with its lock held, and the sweep"
        " must release it.",
        "Alguien tomó un lock y no lo soltó: task_next_space() entrega cada espacio de direcciones con su lock tomado, y el "
        "barrido debe soltarlo.")

lab.check("R000-9", "chau marks, and takes nothing yet", es="chau marca y todavía no quita nada", points=10,
          guest="chau_only_marks",
          hint=("chau() only notes down that the block may go.", "chau() solo anota que el bloque puede irse."),
          hints={"refused": REFUSED, "live-block": LIVE,
                 "early": ("chau() itself unmaps or frees. It must only mark: the sweeper takes the pages, for all tasks, in its"
                           " own time.",
                           "El propio chau() quita o libera páginas. Solo debe marcar: el barrendero las quita, para todas las "
                           "tareas, a su debido tiempo.")})
lab.check("R000-10", "a sweep once in 100 ticks", es="un barrido cada 100 ticks", points=10, guest="once_in_a_hundred_ticks",
          cpus=2, hint=LATE, hints={"too-many": TOO_MANY, "never": NEVER, "late": LATE, "panic": LOCK, "deadlock": LOCK})
lab.check("R000-10-busy", "also when all harts are busy", es="también con todos los harts ocupados", points=5,
          guest="on_time_when_busy",
          cpus=4, seeds=2, needs=["R000-10"], hint=LATE,
          hints={"too-many": TOO_MANY, "never": NEVER, "late": LATE, "refused": REFUSED})
lab.check("R000-11", "the frames come back by the next sweep", es="los marcos vuelven con el barrido siguiente", points=12,
          guest="frames_come_back", needs=["R000-9", "R000-10"],
          hint=("malloco_sweep(): unmap each present page of a marked block, free its frame, forget the mark.",
                "malloco_sweep(): quite cada página presente de un bloque marcado, libere su marco, olvide la marca."),
          hints={"not-swept": NOT_SWEPT, "pages-left": LEFT, "panic": PANIC, "trap": TRAP, "deadlock": LOCK, "refused": REFUSED,
                 "entry-stays": ("Frames were freed while their pages are still mapped: the program goes on using what is "
                                 "somebody else's by now, and the next sweep frees it again. Clear the entry first.",
                                 "Se liberaron marcos de páginas que siguen mapeadas: el programa seguirá usando lo que ya es de"
                                 " otro, y el próximo barrido los liberará otra vez. Primero vacíe la entrada."),
                 "not-freed": ("The pages are unmapped, but their frames are in nobody's hands: clearing the entry does not free"
                               " the frame.",
                               "Las páginas ya no están mapeadas, pero sus marcos quedaron sin dueño: vaciar la entrada no "
                               "libera el marco."),
                 "too-many-frames": ("More frames came back than were given back.", "Volvieron marcos de más."),
                 "double": ("The same frame was handed out twice: it was put on the free list twice.",
                            "El mismo marco se entregó dos veces: entró dos veces en la lista de libres.")})
lab.check("R000-10-live", "what was not given back stays", es="lo que no se devolvió, se queda", points=12,
          guest="live_blocks_stay",
          needs=["R000-9", "R000-10"], hint=LIVE, hints={"live-block": LIVE, "refused": REFUSED, "panic": PANIC})
lab.check("R000-10-gap", "pages never touched are passed over", es="las páginas nunca tocadas se saltan", points=5,
          guest="untouched_is_passed_over", needs=["R000-11"], hint=TRAP,
          hints={"live-block": LIVE, "pages-left": LEFT, "refused": REFUSED, "panic": PANIC, "trap": TRAP})
lab.check("R000-10-all", "every task is swept", es="se barren todas las tareas", points=10, guest="every_task_is_swept",
          needs=["R000-11"],
          hint=("A sweep visits the address spaces of all tasks: which ones does your loop see?",
                "Un barrido visita los espacios de direcciones de todas las tareas: ¿cuáles ve su bucle?"),
          hints={"refused": REFUSED, "live-block": LIVE, "panic": LOCK, "deadlock": LOCK,
                 "one-task": ("Only some tasks were swept. task_next_space(&found, after, ...) gives the next one behind pid "
                              "`after`: does your loop go on until it says that there is none?",
                              "Solo se barrieron algunas tareas. task_next_space(&found, after, ...) da la siguiente al pid "
                              "`after`: ¿su bucle sigue hasta que responde que no hay más?")})
lab.check("R000-9-twice", "a second chau does nothing", es="un segundo chau no hace nada", points=6,
          guest="second_chau_does_nothing",
          needs=["R000-11"],
          hint=("Only an ACTIVE block can be given back.", "Solo se puede devolver un bloque ACTIVE."),
          hints={"refused": REFUSED, "live-block": LIVE, "panic": PANIC,
                 "twice": ("A block that is MARKED already, or FREE, was counted once more. chau() wants the start of an ACTIVE "
                           "block.",
                           "Un bloque que ya estaba MARKED, o FREE, se contó otra vez. chau() espera el comienzo de un bloque "
                           "ACTIVE.")})
lab.check("R000-12", "marked addresses are not granted; what is granted again is zero",
          es="lo marcado no se otorga; lo que se vuelve a otorgar está en cero", points=10, guest="marked_is_not_granted",
          needs=["R000-11"],
          hint=("A MARKED page still counts as granted; the sweep sets it free, and only when its frame is gone.",
                "Una página MARKED todavía cuenta como otorgada; el barrido la libera, y recién cuando su marco se fue."),
          hints={"refused": REFUSED, "live-block": LIVE,
                 "regrant": ("MARKED space was granted: its pages are still there, with what the program wrote. It is FREE after"
                             " the sweep only.",
                             "Se otorgó espacio MARKED: sus páginas siguen ahí, con lo que escribió el programa. Es FREE recién "
                             "después del barrido."),
                 "old-data": ("The addresses were set free, but their pages are still mapped: unmap first, then forget.",
                              "Las direcciones quedaron libres, pero sus páginas siguen mapeadas: primero quitar, después "
                              "olvidar."),
                 "mark-stays": ("A block that was granted again is still marked: after a sweep no mark may be left of what it "
                                "has taken.",
                                "Un bloque otorgado de nuevo sigue marcado: tras un barrido no debe quedar la marca de lo que se"
                                " llevó.")})
lab.check("R000-13", "other tasks keep theirs", es="las demás tareas conservan lo suyo", points=4, guest="others_keep_theirs",
          needs=["R000-11"],
          hint=("The same address in two tasks is two pages.", "La misma dirección en dos tareas son dos páginas."),
          hints={"refused": REFUSED,
                 "other-task": ("A sweep for one task took pages of another: whose bit maps, and whose page table, does it use?",
                                "El barrido de una tarea se llevó páginas de otra: ¿de quién son los mapas de bits y la tabla "
                                "que usa?")})
lab.check("R000-14", "a dead task leaves nothing behind", es="una tarea muerta no deja nada", points=4,
          guest="dead_tasks_leave_nothing",
          needs=["R000-11"],
          hint=("At its end a task's memory goes with its address space, marked or not.",
                "Al terminar, la memoria de una tarea se va con su espacio de direcciones, marcada o no."),
          hints={"refused": REFUSED, "panic": PANIC,
                 "lost": ("Frames are missing after the task's end: were they unmapped without being freed?",
                          "Faltan marcos tras el fin de la tarea: ¿se quitaron sin liberarlos?")})
lab.check("M1", "a running victim never sees another's data", es="una víctima en ejecución nunca ve datos ajenos", points=12,
          guest="running_victims", cpus=3, seeds=3, needs=["R000-11"],
          hint=("Clear the entry, fence every hart that may still have the translation, and only then free the frame.",
                "Vacíe la entrada, haga el fence en todo hart que aún pueda tener la traducción, y recién entonces libere el "
                "marco."),
          hints={"refused": REFUSED, "panic": PANIC,
                 "stranger": ("Another hart still had the old translation in its TLB when the frame was free already. The order "
                              "is: clear the entry, fence on all harts (not only on this one), free the frame. Which functions "
                              "of mm/vm.c do that?",
                              "Otro hart todavía tenía la traducción vieja en su TLB cuando el marco ya estaba libre. El orden "
                              "es: vaciar la entrada, fence en todos los harts (no solo en este), liberar el marco. ¿Qué "
                              "funciones de mm/vm.c lo hacen?")})
