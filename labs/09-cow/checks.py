"""L9: fork and copy on write. S001."""
from labs import Lab

lab = Lab(__file__, title="fork and copy on write", title_es="fork y copia al escribir", machine="riscv",
          files=["kernel/mm/vm.c", "kernel/task/fork.c"], starter=[])

NO_CHILD = ("fork gives no child. Which step of task_fork() returned an error? Break at task_fork and step.",
            "fork no crea ningún hijo. ¿Qué paso de task_fork() devolvió un error? Ponga un breakpoint en task_fork y avance "
            "paso a paso.")
CHILD_DIES = ("The child does not live as it should: see its `fault:` line. Does its struct trap_frame hold the parent's "
              "registers, and are its pages there?",
              "El hijo no vive como debe: vea su línea `fault:`. ¿Su struct trap_frame tiene los registros del padre? ¿Están sus "
              "páginas?")
CONTENTS = ("Bytes are lost or mixed. When you give a task a frame of its own, what does it hold before the entry points to it? "
            "And when was the old frame still yours to read?",
            "Se pierden o se mezclan bytes. Cuando una tarea recibe un marco propio, ¿qué contiene antes de que la entrada lo "
            "apunte? ¿Y hasta cuándo podía leerse el marco viejo?")
LOST_FRAMES = ("Frames do not come back. Each entry that you write needs one reference and each entry that you overwrite gives "
               "one back: which path forgets it?",
               "Hay marcos que no vuelven. Cada entrada que escribe necesita una referencia y cada entrada que reemplaza "
               "devuelve una: ¿qué camino lo olvida?")
EVICTED = ("Stack and data are the first that a program writes after fork. With cause=15 in the `fault:` line such a write was "
           "refused: who allows it in the end? With another cause the task went astray, as its pages hold something else: does a "
           "copy get all of the old frame, and does a frame have one reference for each entry that points to it?",
           "Lo primero que un programa escribe después de fork es la pila y sus datos. Si la línea `fault:` dice cause=15, se "
           "rechazó una de esas escrituras: ¿quién la permite al final? Con otra causa la tarea se perdió, porque sus páginas "
           "tienen otra cosa: ¿la copia recibe todo el marco viejo? ¿El marco tiene una referencia por cada entrada que lo apunta?")
PANIC = ("The line above names what and where. In vm_free() or free_page() a count is wrong: see who raises `resident`, the "
         "`entries` of the child's tables, and the references of a frame. Otherwise: `break panic`, then `backtrace`.",
         "La línea de arriba dice qué y dónde. En vm_free() o free_page() hay una cuenta mal: vea quién aumenta `resident`, las "
         "`entries` de las tablas del hijo y las referencias de un marco. Si no es eso: `break panic` y después `backtrace`.")
MIXED = ("Bytes of one task, or of a free frame (0x05), show up in another when both write at the same time. Until when must the "
         "old frame stay as it is?",
         "Bytes de una tarea, o de un marco libre (0x05), aparecen en otra cuando ambas escriben a la vez. ¿Hasta cuándo debe "
         "quedar intacto el marco viejo?")
ALL = {"evicted": EVICTED, "off": EVICTED, "panic": PANIC, "no-child": NO_CHILD, "child-dies": CHILD_DIES, "contents": CONTENTS,
       "lost-frames": LOST_FRAMES}


def check(id, title, es, points, guest, hint, hints=None, needs=("R001-2",), **more):
    lab.check(id, title, es=es, points=points, guest=guest, hint=hint, hints={**ALL, **(hints or {})}, needs=list(needs), cpus=4,
              **more)


check("R001-2", "parent and child each get their result", "padre e hijo reciben cada uno su resultado", 10,
      "each_side_has_its_result",
      ("The parent's result is the child's pid, the child's is 0.",
       "El resultado en el padre es el pid del hijo; en el hijo es 0."),
      {"same-result": ("The child goes on from a copy of the parent's registers. Which of them carries the result, and who sets "
                       "it in the copy, and when?",
                       "El hijo continúa con una copia de los registros del padre. ¿Cuál lleva el resultado? ¿Quién lo pone en "
                       "la copia, y en qué momento?"),
       "wrong-pid": ("task_publish() tells the child's pid: is that what the parent returns?",
                     "task_publish() da el pid del hijo: ¿es eso lo que devuelve el padre?")}, needs=())
check("R001-3", "the child goes on where the call was", "el hijo continúa donde estaba la llamada", 5,
      "child_goes_on_where_the_call_was",
      ("All registers of the child are the parent's at the call, but for the result.",
       "Todos los registros del hijo son los del padre en la llamada, salvo el resultado."),
      {"registers": ("A register differs. The whole struct trap_frame is copied, and only the result is changed afterwards.",
                     "Un registro difiere. Se copia toda la struct trap_frame y después se cambia solo el resultado."),
       "depth": ("The child must find its stack as the parent left it: are the pages of the stack shared like all others?",
                 "El hijo debe encontrar la pila como la dejó el padre: ¿se comparten las páginas de la pila como todas las "
                 "demás?")})
check("R001-4", "the child has the same memory", "el hijo tiene la misma memoria", 10, "child_has_the_same_memory",
      ("Compare areas, blocks and heap of both: docs/memory.md says what an address space knows.",
       "Compare áreas, bloques y heap de ambos: docs/memory.md dice qué sabe un espacio de direcciones."),
      {"tracker": ("The child does not know its blocks of malloco, or not their state. What of struct vm is about REGION?",
                   "El hijo no conoce sus bloques de malloco, o no en qué estado están. ¿Qué parte de struct vm trata de "
                   "REGION?"),
       "reserved": ("The child's count of reserved pages is not the parent's. Look at the fields of struct vm, one by one.",
                    "La cuenta de páginas reservadas del hijo no es la del padre. Mire los campos de struct vm, uno por uno."),
       "areas": ("Something of the parent's address space is missing in the child. Look at the fields of struct vm, one by one.",
                 "Algo del espacio de direcciones del padre falta en el hijo. Mire los campos de struct vm, uno por uno.")})
check("R001-6", "both have the same frames, read-only", "ambos tienen los mismos marcos, de solo lectura", 10,
      "both_have_the_frames_read_only",
      ("After fork a private writable page has two entries, two references, no right to write in either, and the COW mark in "
       "both.",
       "Después de fork, una página privada que era escribible tiene dos entradas, dos referencias, ningún permiso de escritura "
       "y la marca COW en ambos."),
      {"absent": ("A page of the parent is missing in the child. Does your walk reach every leaf table of every area?",
                  "Falta en el hijo una página del padre. ¿Su recorrido llega a todas las tablas hoja de todas las áreas?"),
       "not-counted": ("Two entries point to one frame, but it has one reference: whoever ends first takes the frame from the "
                       "other. See page_share().",
                       "Dos entradas apuntan al mismo marco, pero tiene una sola referencia: la primera que termine le quita el "
                       "marco a la otra. Vea page_share()."),
       "parent-writable": ("The parent may still write to the shared frame: what it writes now shows up in the child. In which "
                           "tables must the entry change?",
                           "El padre todavía puede escribir en el marco compartido: lo que escriba aparecerá en el hijo. ¿En qué "
                           "tablas debe cambiar la entrada?"),
       "child-writable": ("The child may write to the shared frame at once: in which order do you change the parent's entry and "
                          "copy it?",
                          "El hijo puede escribir enseguida en el marco compartido: ¿en qué orden cambia la entrada del padre y "
                          "la copia?"),
       "no-mark": ("Without the mark nobody can tell a shared page from one that is read-only for good. See pte_to_cow().",
                   "Sin la marca nadie distingue una página compartida de una que es de solo lectura para siempre. Vea "
                   "pte_to_cow()."),
       "resident": ("The child counts other pages than it has: vm->resident is kept by whoever writes entries.",
                    "El hijo cuenta otras páginas que las que tiene: vm->resident lo lleva quien escribe las entradas.")})
check("R001-5", "text is shared for good, never COW", "el código se comparte para siempre, sin COW", 5, "text_is_shared_for_good",
      ("Pages that nobody may write are shared as they are.",
       "Las páginas que nadie puede escribir se comparten tal como están."),
      {"cow-on-text": ("You mark pages COW that were never writable. How do you tell one kind from the other?",
                       "Marca COW páginas que nunca fueron escribibles. ¿Cómo distingue una clase de la otra?"),
       "text-copied": ("Text needs no second frame: nobody can change it.",
                       "El código no necesita otro marco: nadie puede cambiarlo.")})
check("R001-10", "fork takes few frames, however much is resident", "fork toma pocos marcos, por más memoria que haya", 5,
      "a_thousand_pages_cost_few_frames", ("fork copies entries, not pages.", "fork copia entradas, no páginas."),
      {"eager": ("fork takes about one frame a page: it copies at once what it should only share.",
                 "fork toma cerca de un marco por página: copia de inmediato lo que solo debería compartir."),
       "fences": ("One fence at the end is enough; you make one for each page.",
                  "Basta un fence al final; usted hace uno por página.")},
      needs=("R001-2", "R001-6"))
check("R001-7", "what one side writes the other never sees", "lo que escribe uno, el otro nunca lo ve", 10,
      "a_write_is_seen_by_the_writer_only",
      ("Follow one page through break_cow(): old frame, new frame, entry.",
       "Siga una página por break_cow(): marco viejo, marco nuevo, entrada."),
      {"leaks-to-parent": ("The child writes into the parent's frame. Which entries are still writable after fork, and who makes "
                           "them so again?",
                           "El hijo escribe en el marco del padre. ¿Qué entradas siguen escribibles después de fork y quién las "
                           "vuelve a abrir?"),
       "leaks-to-child": ("The parent writes into the child's frame. Which entries are still writable after fork, and who makes "
                          "them so again?",
                          "El padre escribe en el marco del hijo. ¿Qué entradas siguen escribibles después de fork y quién las "
                          "vuelve a abrir?")})
check("R001-7-one", "a write copies one page", "una escritura copia una sola página", 5, "one_write_copies_one_page",
      ("One fault, one page: count in vm_counters.cow_copies and cow_upgrades.",
       "Un fallo, una página: cuente en vm_counters.cow_copies y cow_upgrades."),
      {"count": ("Expected is one copy, counted in vm_counters.cow_copies, and no upgrade. Does each path count what it does, "
                 "once? And may the new page be written, or does the same write fault again?",
                 "Se espera una copia, contada en vm_counters.cow_copies, y ninguna recuperación. ¿Cada camino cuenta lo que "
                 "hace, una vez? ¿La página nueva se puede escribir, o la misma escritura vuelve a fallar?"),
       "entry": ("The writer's new page should be its own, and writable for good. Which rights does the entry get, and who else "
                 "has its frame?",
                 "La página nueva debería ser propia y escribible desde ahora. ¿Qué permisos recibe la entrada y quién más tiene "
                 "su marco?"),
       "not-dropped": ("The old frame has as many references as before the copy. Who used to point to it, and does no longer?",
                       "El marco viejo tiene tantas referencias como antes de la copia. ¿Quién lo apuntaba y ya no?"),
       "neighbours": ("Other pages than the written one lost their sharing. The fault is about one page only.",
                      "Otras páginas, no solo la escrita, dejaron de estar compartidas. El fallo es de una sola página.")},
      needs=("R001-6", "R001-7"))
check("R001-7-last", "the last sharer copies nothing", "el último que comparte no copia nada", 5,
      "the_last_sharer_copies_nothing",
      ("When nobody else has the frame, it can become writable again.",
       "Cuando nadie más tiene el marco, puede volver a ser escribible."),
      {"copies-last": ("You copy a frame that nobody else has. How can you tell?",
                       "Copia un marco que nadie más tiene. ¿Cómo se puede saber?"),
       "upgrades": ("A page that becomes writable again without a copy is counted in vm_counters.cow_upgrades.",
                    "Una página que vuelve a ser escribible sin copia se cuenta en vm_counters.cow_upgrades.")},
      needs=("R001-7",))
check("R001-8", "a write to text ends the writer", "una escritura en el código termina a quien escribe", 5,
      "a_write_to_text_ends_the_writer",
      ("Only a page that its area allows to be written can be COW.",
       "Solo puede ser COW una página que su área permite escribir."),
      {"text-written": ("A write to a page that was read-only before fork must fail as before. What does the area say, and who "
                        "asks it first?",
                        "Escribir en una página que ya era de solo lectura debe fallar como antes. ¿Qué dice el área y quién la "
                        "consulta primero?")})
check("R001-13", "the kernel breaks sharing before it writes", "el kernel separa la página antes de escribir en ella", 5,
      "the_kernel_breaks_sharing_first",
      ("A system call writes to a buffer like the program would.",
       "Una llamada al sistema escribe en un búfer como lo haría el programa."),
      {"kernel-write": ("The kernel wrote into a frame that another task has, too. User copies fault like the program does: does "
                        "your COW case work whoever caused the fault?",
                        "El kernel escribió en un marco que también tiene otra tarea. Las copias a usuario fallan igual que el "
                        "programa: ¿su caso COW sirve sin importar quién causó el fallo?"),
       "kernel-write-fails": ("A call fails because its buffer is a shared page. Does your COW case work whoever caused the "
                              "fault?",
                              "Una llamada falla porque su búfer es una página compartida. ¿Su caso COW sirve sin importar quién "
                              "causó el fallo?")},
      needs=("R001-7",))
check("R001-11", "memory ends at any step of fork", "la memoria se acaba en cualquier paso de fork", 5, "memory_ends_at_any_step",
      ("Whatever fork had made when a step fails is taken back, and the error is -ENOMEM.",
       "Todo lo que fork había hecho cuando falla un paso se deshace, y el error es -ENOMEM."),
      {"no-error": ("A step failed and fork does not say -ENOMEM: which result is not looked at?",
                    "Un paso falló y fork no dice -ENOMEM: ¿qué resultado no se mira?"),
       "lost-reference": ("After a failed fork the parent's frames still have a second reference. Who frees the half-made child?",
                          "Después de un fork fallido, los marcos del padre aún tienen una segunda referencia. ¿Quién libera al "
                          "hijo a medio hacer?")},
      needs=("R001-2", "R001-7-last"))
check("R001-11-full", "the task table is full", "la tabla de tareas está llena", 5, "the_task_table_is_full",
      ("task_create() says why it failed: hand that on.", "task_create() dice por qué falló: devuélvalo tal cual."),
      {"wrong-error": ("task_create() leaves the error in its last argument: no free task is -EAGAIN, not -ENOMEM.",
                       "task_create() deja el error en su último argumento: si no hay tarea libre es -EAGAIN, no -ENOMEM.")},
      needs=("R001-2", "R001-7"), append="maxtasks=24")
check("R001-12", "three generations leave nothing behind", "tres generaciones no dejan nada", 5, "families_leave_nothing_behind",
      ("Contents are right in all generations, and all frames come back.",
       "El contenido es correcto en todas las generaciones y los marcos vuelven."),
      {"families": ("A descendant saw bytes that are not of its line. If M6 fails, too, begin there. If not: a page may be COW "
                    "already when its task forks once more; how is it shared then?",
                    "Un descendiente vio bytes que no son de su línea. Si también falla M6, empiece por ahí. Si no: una página "
                    "puede ser COW ya antes de que su tarea vuelva a hacer fork; ¿cómo se comparte entonces?")},
      needs=("R001-7",))
check("M6", "old translations are gone when fork returns", "cuando fork vuelve no quedan traducciones viejas", 5,
      "old_translations_are_gone",
      ("The parent's hart may still know the page as writable.", "El hart del padre puede recordar la página como escribible."),
      {"no-fence": ("You take the right away in the table, but the hart has the old translation in its TLB. Which function "
                    "fences all harts that have this address space?",
                    "Quita el permiso en la tabla, pero el hart tiene la traducción vieja en su TLB. ¿Qué función hace el fence "
                    "en todos los harts que tienen este espacio de direcciones?")}, needs=("R001-7",), seeds=3)
check("M2", "all sharers write at once", "todos escriben a la vez", 5, "all_sharers_write_at_once",
      ("References, the copy and the entry: in which order, and under which lock?",
       "Referencias, copia y entrada: ¿en qué orden y con qué lock tomado?"),
      dict.fromkeys(("mixed", "evicted", "deadlock", "livelock", "trap", "panic", "timeout"), MIXED),
      needs=("R001-7",), seeds=3, quiet=5, seconds=20)
