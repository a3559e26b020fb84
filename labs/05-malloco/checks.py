"""L5: malloco and the lazy page fault. S000, exercises 1 and 3b."""
from labs import Lab

lab = Lab(__file__, title="malloco: memory that comes when it is touched", title_es="malloco: memoria que llega al tocarla",
          machine="riscv", files=["kernel/mm/malloco.c", "kernel/mm/malloco.h", "kernel/mm/vm.c", "kernel/mm/vm.h",
          "kernel/sys/sys_mem.c"],
          starter=[])

NO_BLOCK = ("malloco() refused what it must grant: nothing, or not enough, is granted yet. Which of your tests said no?",
            "malloco() rechazó lo que debe otorgar: todavía hay lugar de sobra. ¿Cuál de sus comparaciones dijo que no?")
ANY = ("Lying between REGION_BASE and REGION_END is not enough: the page must belong to a block of this task. Ask "
       "malloco_state().",
       "No basta con estar entre REGION_BASE y REGION_END: la página debe pertenecer a un bloque de esta tarea. Consulte "
       "malloco_state().")
OVER = ("Granted pages must never be more than 1024. Compare what the request would make of them, rounded up to pages, and not "
        "what is granted now.",
        "Nunca puede haber más de 1024 páginas otorgadas. Compare el total que resultaría del pedido, redondeado a páginas, y no"
        " lo ya otorgado.")
CHANGES = ("A refused request must leave no trace: make all your tests first, and change the bit maps and counts only "
           "afterwards.",
           "Un pedido rechazado no debe dejar huella: haga primero todas las comprobaciones y recién después cambie los mapas de"
           " bits y los contadores.")
ZERO = ("The frame still has what its last owner wrote (0x05 is the debug kernel's mark of a free frame). It must be cleared "
        "before the page can be seen. Does your path go through map_fresh()?",
        "El marco conserva lo que escribió su dueño anterior (0x05 es la marca de marco libre del kernel de depuración). Hay que"
        " ponerlo en cero antes de que la página sea visible. ¿Su camino pasa por map_fresh()?")

lab.check("R000-1", "malloco's answer reaches the program", es="la respuesta de malloco llega al programa", points=10,
          guest="answer_arrives",
          hint=("Follow the result: malloco() in mm/malloco.c, sys_malloco() in sys/sys_mem.c, syscall(), the saved a0.",
                "Siga el resultado: malloco() en mm/malloco.c, sys_malloco() en sys/sys_mem.c, syscall(), el a0 guardado."),
          hints={"no-answer": ("The program gets 0. Either malloco() returned 0, or sys_malloco() does not hand its result on. A"
                               " breakpoint on malloco and `finish` tell which.",
                               "El programa recibe 0. O bien malloco() devolvió 0, o sys_malloco() no entrega el resultado. Un "
                               "breakpoint en malloco y `finish` lo aclaran."),
                 "sign": ("The lower 32 bits are right and the upper ones are all ones: somewhere the address went through an "
                          "int. 0xA10C0000 is negative as one.",
                          "Los 32 bits bajos están bien y los altos son todos unos: en algún punto la dirección pasó por un int,"
                          " y 0xA10C0000 visto como int es negativo."),
                 "first": ("Page n of REGION lies at REGION_BASE + n * 4096, and the first block begins at page 0.",
                           "La página n de REGION está en REGION_BASE + n * 4096, y el primer bloque comienza en la página 0."),
                 "no-error": ("malloco says NULL, which is 0, when it refuses; a -errno would be taken for an address.",
                              "Cuando malloco rechaza responde NULL, es decir 0; un -errno se tomaría por una dirección.")})
lab.check("R000-3", "blocks follow each other, in whole pages", es="los bloques se siguen unos a otros, en páginas enteras",
          points=10, guest="blocks_follow", needs=["R000-1"],
          hint=("While nothing is given back, grant n begins where grant n - 1 ended, rounded up to a page.",
                "Mientras nada se devuelve, el bloque n comienza donde terminó el anterior, redondeado a página."),
          hints={"no-block": NO_BLOCK,
                 "not-rounded": ("A block is whole pages: 4097 bytes are 2 of them. Is the size rounded up (PAGE_UP) before it "
                                 "is counted?",
                                 "Un bloque ocupa páginas enteras: 4097 bytes son 2. ¿Se redondea el tamaño hacia arriba "
                                 "(PAGE_UP) antes de contarlo?"),
                 "gap": ("A size that is a multiple of 4096 already needs no further page: 4096 bytes are 1 page, not 2.",
                         "Un tamaño que ya es múltiplo de 4096 no necesita otra página: 4096 bytes son 1 página, no 2.")})
lab.check("R000-2", "the call takes no frame", es="la llamada no toma ningún marco", points=10, guest="call_is_lazy",
          needs=["R000-1"],
          hint=("malloco only notes down what was granted. Frames and tables come with the page fault.",
                "malloco solo anota lo otorgado. Los marcos y las tablas llegan con el fallo de página."),
          hints={"no-block": NO_BLOCK,
                 "eager": ("malloco() maps the pages at once. A program that asks for 4 MiB and uses one page must cost one "
                           "page.",
                           "malloco() mapea las páginas enseguida. Un programa que pide 4 MiB y usa una página debe costar una "
                           "página."),
                 "table": ("No page came, but frames went: does malloco() make page tables (leaf_table with true), or allocate "
                           "its tracker?",
                           "No llegó ninguna página, pero faltan marcos: ¿crea malloco() tablas de páginas (leaf_table con true)"
                           " o pide memoria para su registro?")})
lab.check("R000-4", "exactly 4 MiB", es="exactamente 4 MiB", points=10, guest="exactly_four_mebibytes", needs=["R000-3"],
          hint=("Does the last of the 1024 pages count? And the one after it?",
                "¿Se puede otorgar la última de las 1024 páginas? ¿Y la siguiente?"),
          hints={"no-block": NO_BLOCK, "over": OVER, "refusal-changes": CHANGES,
                 "full-refused": ("4 MiB are allowed, not only what is less than 4 MiB: is there a < where <= belongs? (Or the "
                                  "other way round, in a test that refuses.)",
                                  "Se permiten 4 MiB, no solo menos de 4 MiB: ¿hay un < donde corresponde <=? (O al revés, en "
                                  "una comparación que rechaza.)")})
lab.check("R000-4-odd", "sizes that cannot be", es="tamaños imposibles", points=8, guest="odd_sizes_are_refused",
          needs=["R000-1"],
          hint=("Test nbytes as it came, before any sum or rounding.",
                "Compruebe nbytes tal como llegó, antes de cualquier suma o redondeo."),
          hints={"no-block": NO_BLOCK, "refusal-changes": CHANGES,
                 "wraps": ("PAGE_UP(SIZE_MAX) is 0, and 2^32 + 1 is 1 when it is cut to 32 bits: a size must be compared with 4 "
                           "MiB before it is rounded up, and as a size_t.",
                           "PAGE_UP(SIZE_MAX) es 0, y 2^32 + 1 recortado a 32 bits es 1: compare el tamaño con 4 MiB antes de "
                           "redondearlo, y como size_t."),
                 "zero": ("A block of no bytes has no page of its own: whose address would that be? The answer is NULL.",
                          "Un bloque de cero bytes no tiene página propia: ¿de quién sería esa dirección? Responda NULL.")})
lab.check("R000-5", "1024 blocks", es="1024 bloques", points=5, guest="thousand_blocks", needs=["R000-3"],
          hint=("The smallest block is one page, so a task has 1024 of them at most: the tracker must have room for all.",
                "El bloque más chico es una página, así que una tarea tiene 1024 como máximo: el registro debe tener lugar para "
                "todos."),
          hints={"over": OVER,
                 "few-blocks": ("Somewhere your tracker is full before REGION is. What is the largest number of blocks it can "
                                "note down?",
                                "Su registro se llena antes que REGION. ¿Cuántos bloques puede anotar como máximo?")})
lab.check("R000-6", "the first touch maps one page", es="el primer acceso mapea una página", points=14,
          guest="first_touch_maps_one_page",
          needs=["R000-1"],
          hint=("One fault, one page, one frame: make_present() in mm/vm.c.",
                "Un fallo, una página, un marco: make_present() en mm/vm.c."),
          hints={"no-block": NO_BLOCK,
                 "no-fault": ("The kernel ended a task that touched its own block: run `malloco` in `make qemu`, the `fault:` "
                              "line gives the address. Which test in make_present() said no? What did malloco_state() say?",
                              "El kernel eliminó una tarea que tocó su propio bloque: ejecute `malloco` en `make qemu`; la línea"
                              " `fault:` da la dirección. ¿Qué comprobación de make_present() dijo que no? ¿Qué respondió "
                              "malloco_state()?"),
                 "whole-block": ("A fault is for one page. Its neighbours stay absent until they are touched themselves.",
                                 "Un fallo es por una página. Las vecinas siguen ausentes hasta que alguien las toque."),
                 "wrong-page": ("A page got a frame, but not the one that was touched: which address goes into the page table?",
                                "Una página recibió marco, pero no la que se tocó: ¿qué dirección se usa para la tabla de "
                                "páginas?"),
                 "read-only": ("A page of REGION may be read and written, also when the first touch was a load.",
                               "Una página de REGION se puede leer y escribir, aunque el primer acceso haya sido una lectura."),
                 "frames": ("A touch of a new page costs one frame, of a page that is there none: is a frame taken before you "
                            "know that you need it, and then lost?",
                            "Tocar una página nueva cuesta un marco; tocar una presente, ninguno. ¿Toma un marco antes de saber "
                            "si lo necesita, y después se pierde?")})
lab.check("R000-6-zero", "pages come as zeros", es="las páginas llegan en cero", points=7, guest="pages_come_as_zeros",
          needs=["R000-6"],
          hint=ZERO, hints={"no-block": NO_BLOCK, "not-zero": ZERO})
lab.check("R000-7", "any byte of a page, and two pages at once", es="cualquier byte de una página, y dos páginas a la vez",
          points=7, guest="any_byte_of_a_page", needs=["R000-6"],
          hint=("The address of a fault is that of a byte. Which page is it in?",
                "La dirección del fallo es la de un byte. ¿En qué página está?"),
          hints={"no-block": NO_BLOCK, "not-zero": ZERO,
                 "wrong-page": ("A fault at 0xA10C0FFF is a fault of page 0xA10C0000: round down, never up.",
                                "Un fallo en 0xA10C0FFF es un fallo de la página 0xA10C0000: redondee hacia abajo, nunca hacia "
                                "arriba."),
                 "panic": ("The line above names the assertion. Page tables are for pages: which address did you give to "
                           "map_page(), that of the byte or that of its page?",
                           "La línea de arriba nombra la aserción. Las tablas son de páginas: ¿qué dirección le dio a "
                           "map_page(), la del byte o la de su página?"),
                 "border": ("REGION lies in three leaf tables (borders at 0xA1200000 and 0xA1400000): each page's entry must be "
                            "looked up in its own table.",
                            "REGION ocupa tres tablas hoja (límites en 0xA1200000 y 0xA1400000): la entrada de cada página debe "
                            "buscarse en su propia tabla.")})
lab.check("R000-8", "what was not granted ends the task", es="tocar lo que no se otorgó termina la tarea", points=12,
          guest="ungranted_ends_the_task", needs=["R000-6"],
          hint=ANY,
          hints={"no-block": NO_BLOCK, "any-address": ANY,
                 "end": ("The page after the last block is nobody's. A block of n pages is [start, start + n): is there a <= too"
                         " many?",
                         "La página que sigue al último bloque no es de nadie. Un bloque de n páginas es [inicio, inicio + n): "
                         "¿sobra un <=?"),
                 "reads": ("A store ends the task, but a load gets zeros: a load from memory that was never granted is a mistake"
                           " as well.",
                           "Una escritura termina la tarea, pero una lectura obtiene ceros: leer memoria que nunca se otorgó "
                           "también es un error.")})
lab.check("R000-13", "each task has its own REGION", es="cada tarea tiene su propia REGION", points=5,
          guest="each_task_has_its_own",
          needs=["R000-6"], cpus=2, seeds=2,
          hint=("What was granted is noted in the task's struct vm, not in a variable of the kernel.",
                "Lo otorgado se anota en la struct vm de la tarea, no en una variable del kernel."),
          hints={"no-block": NO_BLOCK,
                 "shared-tracker": ("A new task does not begin at REGION's start: does your tracker, or a cursor, live in a "
                                    "global or static variable?",
                                    "Una tarea nueva no comienza al principio de REGION: ¿su registro, o un cursor, está en una "
                                    "variable global o static?"),
                 "shared-frames": ("Two tasks see the same frame, or a new one sees an old one's: each touch needs a frame of "
                                   "its own, cleared.",
                                   "Dos tareas ven el mismo marco, o una nueva ve el de otra: cada primer acceso necesita un "
                                   "marco propio, en cero.")})
lab.check("R000-6-kernel", "the kernel touches for the program", es="el kernel toca en nombre del programa", points=2,
          guest="kernel_touches_too", needs=["R000-6"],
          hint=("A system call may be given a page that nobody has touched. The kernel's copy faults like the program would.",
                "Una llamada al sistema puede recibir una página que nadie tocó. La copia del kernel falla igual que lo haría el"
                " programa."),
          hints={"no-block": NO_BLOCK, "any-address": ANY,
                 "kernel": ("The copy was refused: the fault of a copy must be answered in the same place as the program's own, "
                            "in vm_fault().",
                            "La copia fue rechazada: el fallo de una copia se debe atender en el mismo lugar que el del "
                            "programa, en vm_fault().")})
