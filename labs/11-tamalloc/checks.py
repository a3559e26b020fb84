"""L11: tamalloc. S002 and S004."""
from labs import Lab

lab = Lab(__file__, title="tamalloc: large areas that cost nothing", title_es="tamalloc: áreas grandes que no cuestan nada",
          machine="riscv", files=["kernel/mm/tamalloc.c", "kernel/mm/vm.c"], starter=[])

NO_AREA = ("tamalloc refuses a plain request. Which line returns the error, and does vm_insert_area() say -EINVAL because the "
           "range overlaps another area?",
           "tamalloc rechaza un pedido normal. ¿Qué línea devuelve el error? ¿Dice vm_insert_area() -EINVAL porque el rango se "
           "superpone con otra área?")
EAGER = ("The call itself takes frames. It only notes down an area; the page fault brings the pages.",
         "La propia llamada toma marcos. Solo debe anotar un área; las páginas las trae el fallo de página.")
NOT_FOUND = ("A page inside an area is not found. vm_find_area() answers for start <= va < end, for any area, whatever was asked "
             "last.",
             "No se encuentra una página que está dentro de un área. vm_find_area() responde para start <= va < end, en "
             "cualquier área, sin importar qué se preguntó antes.")
PANIC = ("The kernel stops where it should only return an error: memory that ends is no bug of the kernel.",
         "El kernel se detiene donde solo debería devolver un error: que se acabe la memoria no es un defecto del kernel.")
LOCK = ("The kernel stopped in a call of tamalloc, or at the end of its task: is vm->lock released on each way out? Do areas lie "
        "where the stack grows? The message of the panic tells which.",
        "El kernel se detuvo en una llamada a tamalloc o al terminar la tarea: ¿se libera vm->lock en todas las salidas? ¿Hay "
        "áreas donde crece la pila? El mensaje del pánico dice cuál de las dos.")
ALL = {"no-area": NO_AREA, "eager": EAGER, "not-found": NOT_FOUND, "evicted": NOT_FOUND, "off": NOT_FOUND}


def check(id, title, es, points, guest, hint, hints=None, needs=("R002-1-round",), **more):
    lab.check(id, title, es=es, points=points, guest=guest, hint=hint, hints={**ALL, **(hints or {})}, needs=list(needs), **more)


check("R002-1-round", "sizes are rounded up to pages", "los tamaños se redondean a páginas", 10, "sizes_are_rounded_up",
      ("1 byte is a page, 4097 are two.", "1 byte es una página, 4097 son dos."),
      {"not-aligned": ("An area starts at the beginning of a page.", "Un área empieza al comienzo de una página."),
       "reserved": ("The area has another length than the request, rounded up. vm_insert_area() counts what it is given: which "
                    "end do you give it?",
                    "El área no mide lo pedido, redondeado hacia arriba. vm_insert_area() cuenta lo que recibe: ¿qué final le da "
                    "usted?"),
       "no-guard": ("The page behind an area must belong to nobody.", "La página que sigue a un área no debe ser de nadie.")},
       needs=())
check("R002-1", "sizes that are refused", "tamaños que se rechazan", 10, "some_sizes_are_refused",
      ("0 and more than TASK_SIZE are -EINVAL; what does not fit is -ENOMEM; neither changes anything.",
       "0 y más de TASK_SIZE son -EINVAL; lo que no cabe es -ENOMEM; nada de eso cambia el estado."),
      {"zero": ("An area of 0 bytes would share its address with the next one: refuse it.",
                "Un área de 0 bytes tendría la misma dirección que la siguiente: rechácela."),
       "too-large": ("More than TASK_SIZE is a wrong argument (-EINVAL), not a lack of memory. In which order do you ask?",
                     "Más de TASK_SIZE es un argumento inválido (-EINVAL), no falta de memoria. ¿En qué orden pregunta?"),
       "wrap": ("Rounding up a huge size wraps to a small one. Compare first, round afterwards.",
                "Al redondear un tamaño enorme se da la vuelta y queda uno chico. Primero compare, después redondee."),
       "does-not-fit": ("TASK_SIZE itself is a valid argument, but no such hole exists: -ENOMEM.",
                        "TASK_SIZE es un argumento válido, pero no hay un hueco así: -ENOMEM."),
       "changed": ("A refused call left something behind.", "Una llamada rechazada dejó algo cambiado."), "panic": LOCK,
       "deadlock": LOCK})
check("R002-1-apart", "areas are apart, with a page of nobody's between", "las áreas están separadas por una página de nadie", 10,
      "areas_are_apart",
      ("Each new area begins behind the last one and one page more.",
       "Cada área nueva empieza detrás de la última, una página más allá."),
      {"no-guard": ("Two areas touch: a program that runs over the end of one writes into the next. Leave a page between.",
                    "Dos áreas se tocan: un programa que se pasa del final de una escribe en la siguiente. Deje una página en "
                    "medio."),
       "guard-mapped": ("A page that belongs to nobody was mapped. Is `end` the last byte of an area, or the first one behind "
                        "it? And do you check both ends of the area that was found last?",
                        "Se mapeó una página que no es de nadie. ¿`end` es el último byte de un área o el primero que le sigue? "
                        "¿Y revisa los dos extremos del área recordada?"),
       "overlap": ("Two areas share pages.", "Dos áreas comparten páginas."),
       "in-region": ("An area lies in REGION, which is malloco's.", "Un área cae en REGION, que es de malloco."),
       "place": ("An area lies where the heap or the stack may still grow. See FIRST_ADDRESS and LAST_ADDRESS.",
                 "Un área cae donde todavía pueden crecer el heap o la pila. Vea FIRST_ADDRESS y LAST_ADDRESS.")})
check("R002-1-rights", "to be read and written, never executed", "se lee y se escribe, nunca se ejecuta", 5,
      "areas_are_read_and_written_only",
      ("Kind and rights are arguments of vm_insert_area().", "El tipo y los permisos son argumentos de vm_insert_area()."),
      {"executable": ("Data that can be executed is what an attacker wishes for: PTE_READ and PTE_WRITE are enough.",
                      "Datos que se pueden ejecutar son el sueño de un atacante: bastan PTE_READ y PTE_WRITE."),
       "rights": ("The area has another kind, or other rights, than tamalloc's areas have.",
                  "El área tiene otro tipo u otros permisos que los de tamalloc.")})
check("R002-2", "the call takes no frame", "la llamada no toma marcos", 10, "the_call_takes_nothing",
      ("The call notes down an area and nothing else.", "La llamada anota un área y nada más."),
      {"charged": ("The area is charged: its pages were promised. tamalloc promises nothing (see commit.h).",
                   "El área se cobró: se prometieron sus páginas. tamalloc no promete nada (vea commit.h).")})
check("R002-2-huge", "more than the machine has is granted", "se otorga más de lo que tiene la máquina", 10, "more_than_there_is",
      ("Only addresses limit tamalloc, not memory.", "A tamalloc lo limitan las direcciones, no la memoria."),
      {"refused": ("You refuse a size because of the memory that is free, or because its pages were charged. Who says that they "
                   "will all be touched?",
                   "Rechaza un tamaño por la memoria libre, o porque se cobraron sus páginas. ¿Quién dice que se van a tocar "
                   "todas?"),
       "truncated": ("A size lost its upper bits on the way: which variable is too small for it?",
                     "Un tamaño perdió sus bits altos en el camino: ¿qué variable le queda chica?")},
      needs=("R002-1-round", "R002-2"))
check("R002-3", "each page comes when it is touched", "cada página llega al tocarla", 10, "each_page_comes_when_touched",
      ("One touch, one page: reads count as well as writes.",
       "Un acceso, una página: cuentan tanto las lecturas como las escrituras."),
      {"one-page": ("A first touch should bring exactly one page.", "Un primer acceso debería traer exactamente una página."),
       "entry": ("The page is there, but not with the rights of its area.",
                 "La página está, pero no con los permisos de su área."),
       "not-zero": ("A new page reads as zero.", "Una página nueva se lee como cero.")}, needs=("R002-2",))
check("R002-3-zero", "new memory reads as zero", "la memoria nueva se lee como cero", 10, "memory_reads_as_zero",
      ("A frame from the free list holds what its last owner left, or the marks of free frames (0x05).",
       "Un marco de la lista de libres contiene lo que dejó su último dueño, o la marca de los marcos libres (0x05)."),
      {"not-zero": ("A page shows old bytes: 0xA5 is what another task wrote, 0x05 is the mark of free frames. Who clears a "
                    "frame, and when?",
                    "Una página muestra bytes viejos: 0xA5 es lo que escribió otra tarea, 0x05 es la marca de los marcos libres. "
                    "¿Quién limpia un marco, y cuándo?")})
check("R002-4", "addresses end with -ENOMEM", "las direcciones se terminan con -ENOMEM", 5, "addresses_end",
      ("When there is no hole of this size: -ENOMEM, and all is as before.",
       "Cuando no hay un hueco de ese tamaño: -ENOMEM, y todo queda igual."),
      {"place": ("Areas were granted where other things must be able to grow. See FIRST_ADDRESS and LAST_ADDRESS.",
                 "Se otorgaron áreas donde otras cosas deben poder crecer. Vea FIRST_ADDRESS y LAST_ADDRESS."),
       "end": ("Without an address left the answer is -ENOMEM, and nothing changes.",
               "Sin direcciones libres la respuesta es -ENOMEM, y nada cambia."),
       "early": ("tamalloc gives up while much is still free. What does it compare, and does each call begin behind the last "
                 "area?",
                 "tamalloc se rinde cuando todavía queda mucho libre. ¿Qué compara? ¿Empieza cada llamada detrás de la última "
                 "área?"),
       "panic": LOCK, "deadlock": LOCK}, needs=("R002-1-apart",))
check("R002-5", "the course's program runs as it stands", "el programa del curso funciona tal cual", 5, "the_seeds_program_runs",
      ("user/tests/tamalloc_seed.c: 10 MB, read and written byte by byte.",
       "user/tests/tamalloc_seed.c: 10 MB, leídos y escritos byte por byte."),
      {"seed": ("Run it yourself: `make qemu PROGRAMS=user/tests/tamalloc_seed.c`.",
                "Ejecútelo usted: `make qemu PROGRAMS=user/tests/tamalloc_seed.c`.")}, needs=("R002-3-zero",))
check("R002-7", "accounts are right, and all comes back at the end", "las cuentas son correctas y al final todo vuelve", 5,
      "accounts_are_right",
      ("10 MiB: 10240 KiB reserved by the call, 10240 KiB committed by touching, 0 frames lost.",
       "10 MiB: 10240 KiB reservados por la llamada, 10240 KiB comprometidos al tocar, 0 marcos perdidos."),
      {"leak": ("Frames are missing when the task has ended: vm_free() must reach every area.",
                "Faltan marcos cuando la tarea ya terminó: vm_free() debe llegar a todas las áreas."),
       "panic": ("vm_free() found pages that belong to no area it went through: every area is in the list until the task ends.",
                 "vm_free() encontró páginas que no son de ninguna área que recorrió: cada área está en la lista hasta que "
                 "termina la tarea.")},
      needs=("R002-3",))
check("R002-8", "fork shares what was touched, the rest stays lazy", "fork comparte lo tocado; el resto sigue perezoso", 5,
      "fork_shares_what_was_touched",
      ("fork copies areas and shares frames: an area of tamalloc is an area like any other.",
       "fork copia áreas y comparte marcos: un área de tamalloc es un área como cualquier otra."), needs=("R002-3",))
check("R002-2-oom", "when memory ends, only the toucher ends", "si se acaba la memoria, solo termina quien toca", 5,
      "only_the_toucher_ends",
      ("A touch without a frame is -ENOMEM from vm_fault(); oom.c decides who goes.",
       "Un acceso sin marco es -ENOMEM en vm_fault(); oom.c decide quién termina."),
      {"panic": PANIC, "trap": PANIC, "refused": ("16 times all memory is a valid request.",
                                                  "16 veces toda la memoria es un pedido válido.")},
      needs=("R002-2-huge",), memory="48M")
