"""L12: statistics. S004."""
from labs import Lab

lab = Lab(__file__, title="memory statistics: 466, 467, 468", title_es="estadísticas de memoria: 466, 467, 468", machine="riscv",
          files=["kernel/task/memstat.c", "kernel/sys/sys_mem.c"], starter=[])

NO_ROWS = ("The call gives no rows. Walk with task_next_space() from pid 0 on: each answer's pid is where the next question "
           "begins.",
           "La llamada no da filas. Recorra con task_next_space() desde el pid 0: el pid de cada respuesta es donde empieza la "
           "pregunta siguiente.")
COUNT = ("The result is the number of live user tasks, whatever max is. What do you count, and where do you stop counting?",
         "El resultado es la cantidad de tareas de usuario vivas, sea cual sea max. ¿Qué cuenta, y dónde deja de contar?")
ORDER = ("Rows come by ascending pid, one for each task.", "Las filas van por pid ascendente, una por tarea.")
TOO_MANY = ("Bytes outside the result were written: for how many rows has the caller made room?",
            "Se escribieron bytes fuera del resultado: ¿para cuántas filas hizo lugar quien llama?")
LOCKED = ("The kernel stopped in a copy to the user's buffer. The copy may fault, and the fault wants the lock of this address "
          "space: what do you hold while you copy? And is it copy_to_user() that copies?",
          "El kernel se detuvo en una copia al búfer del usuario. La copia puede causar un fallo, y el fallo quiere el lock de "
          "ese espacio de direcciones: ¿qué tiene usted tomado mientras copia? ¿Y copia con copy_to_user()?")
ALL = {"no-rows": NO_ROWS, "count": COUNT, "order": ORDER, "too-many": TOO_MANY, "missing": NO_ROWS,
       **dict.fromkeys(("panic", "trap", "deadlock", "livelock", "evicted"), LOCKED)}


def check(id, title, es, points, guest, hint, hints=None, needs=("R004-6-live",), **more):
    lab.check(id, title, es=es, points=points, guest=guest, hint=hint, hints={**ALL, **(hints or {})}, needs=list(needs), **more)


check("R004-6-live", "every live user task has a row", "cada tarea de usuario viva tiene una fila", 10,
      "every_user_task_has_a_row",
      ("One row for each, by ascending pid; the result is their number.",
       "Una fila para cada una, por pid ascendente; el resultado es cuántas son."),
      {"one-task": ("468 is the row of one task: the same as 466 shows for it.",
                    "468 es la fila de una tarea: la misma que muestra 466.")},
      needs=())
check("R004-5-who", "kernel tasks, zombies and nobody have none", "las tareas del kernel, los zombis y nadie no tienen fila", 10,
      "nobody_else_has_one",
      ("Only a task that has an address space is asked about; otherwise -ESRCH.",
       "Solo se pregunta por tareas con espacio de direcciones; si no, -ESRCH."),
      {"zombie": ("A zombie has given its memory back: it is no row, and -ESRCH for 468.",
                  "Un zombi ya devolvió su memoria: no tiene fila, y en 468 es -ESRCH."),
       "kernel-task": ("A task of the kernel has no user memory: it is no row, and -ESRCH for 468.",
                       "Una tarea del kernel no tiene memoria de usuario: no tiene fila, y en 468 es -ESRCH."),
       "nobody": ("No task has pid 0 or a negative one, even where such a number means \"the caller\" to a function of the "
                  "kernel.",
                  "Ninguna tarea tiene pid 0 ni negativo, aunque para una función del kernel ese número signifique «quien "
                  "llama».")})
check("R004-2", "no byte of the kernel gets out", "no sale ningún byte del kernel", 10, "rows_are_clean",
      ("Set every byte of a row before you fill it.", "Ponga en cero cada byte de la fila antes de llenarla."),
      {"padding": ("A local variable begins with what the kernel's stack held, and structures have bytes that no field covers.",
                   "Una variable local empieza con lo que había en la pila del kernel, y las estructuras tienen bytes que ningún "
                   "campo cubre."),
       "name-rest": ("Behind the name's end there are bytes of something else.",
                     "Detrás del final del nombre hay bytes de otra cosa."),
       "name-end": ("The name must end with a NUL inside its 16 bytes.",
                    "El nombre debe terminar con un NUL dentro de sus 16 bytes.")})
check("R004-5", "names: 15 bytes and a NUL", "nombres: 15 bytes y un NUL", 10, "names_have_fifteen_bytes",
      ("copy_string() cuts, ends with a NUL and fills the rest with zeros.",
       "copy_string() corta, termina con un NUL y llena el resto con ceros."),
      {"name": ("Which name is it that the row gets, and how much of it?", "¿Qué nombre recibe la fila, y cuánto de él?"),
       "name-rest": ("Behind the name's end there are bytes of something else.",
                     "Detrás del final del nombre hay bytes de otra cosa."),
       "name-end": ("The name must end with a NUL inside its 16 bytes.",
                    "El nombre debe terminar con un NUL dentro de sus 16 bytes.")})
check("R004-3", "reserved, committed and percent are exact", "reservado, comprometido y porcentaje son exactos", 15,
      "numbers_are_exact",
      ("Reserved: the pages of all areas. Committed: those in frames now. Both in KiB.",
       "Reservado: las páginas de todas las áreas. Comprometido: las que están en marcos ahora. Ambos en KiB."),
      {"reserved": ("reserved_memory is in KiB and comes from what the address space counts of its areas.",
                    "reserved_memory va en KiB y sale de lo que el espacio de direcciones cuenta de sus áreas."),
       "committed": ("committed_memory is what is resident now, in KiB. Not what it was at most, and not what was promised.",
                     "committed_memory es lo residente ahora, en KiB. No el máximo que hubo, ni lo prometido."),
       "percent": ("Multiply first, divide afterwards; and by reserved, which may be 0.",
                   "Primero multiplique, después divida; y por reservado, que puede ser 0.")})
check("R004-3-shared", "a shared frame counts in each sharer", "un marco compartido cuenta en cada uno", 5,
      "a_shared_frame_counts_in_each",
      ("After fork both have the same pages resident.", "Después de fork ambos tienen residentes las mismas páginas."),
      needs=("R004-3",))
check("R004-4", "the score is a share of all frames", "el puntaje es una parte de todos los marcos", 10,
      "score_is_a_share_of_all_frames",
      ("vm_oom_score() computes it from what the task holds and its adjustment.",
       "vm_oom_score() lo calcula con lo que la tarea tiene y su ajuste."),
      {"score": ("The score must follow what the task holds: pages and tables, in permille of all frames. The adjustment alone "
                 "is always 0 here.",
                 "El puntaje debe seguir a lo que la tarea tiene: páginas y tablas, en milésimos de todos los marcos. El ajuste "
                 "solo es siempre 0.")})
check("R004-6", "max is obeyed", "se respeta max", 10, "max_is_obeyed",
      ("min(max, live) rows are written, live is returned.", "Se escriben min(max, vivas) filas y se devuelve vivas."),
      {"size-question": ("max 0 is a question of size: no buffer is looked at.",
                         "max 0 es una pregunta por el tamaño: no se mira ningún búfer."),
       "negative": ("A negative max is -EINVAL. What is it as an unsigned number?",
                    "Un max negativo es -EINVAL. ¿Cuánto vale como número sin signo?"),
       "huge": ("Only rows that are written need room: do not check max * sizeof(row) bytes, which need not be there and may "
                "wrap.",
                "Solo necesitan lugar las filas que se escriben: no revise max * sizeof(fila) bytes, que pueden no estar y dar "
                "la vuelta.")})
check("R004-7", "sums are made in KiB", "las sumas se hacen en KiB", 5, "sums_are_made_in_kilobytes",
      ("Add up KiB, divide once at the end.", "Sume en KiB y divida una sola vez al final."),
      {"sum": ("Five tasks with 300 KiB each are 1 MiB and not 0: where is the division? And is each sum that of its own field?",
               "Cinco tareas de 300 KiB son 1 MiB y no 0: ¿dónde está la división? ¿Y cada suma es la de su propio campo?"),
       "sum-result": ("467 returns 0.", "467 devuelve 0.")}, needs=("R004-3",))
check("R004-8", "a bad buffer is -EFAULT", "un búfer inválido es -EFAULT", 5, "bad_buffers_are_refused",
      ("copy_to_user() says when it could not copy: hand that on.", "copy_to_user() avisa cuando no pudo copiar: devuélvalo."),
      {"bad-pointer": ("A pointer that the program may not write was accepted: whose check is it, and do you look at its result?",
                       "Se aceptó un puntero en el que el programa no puede escribir: ¿quién lo controla, y usted mira su "
                       "resultado?"),
       "good-pointer": ("A buffer that ends where its area ends is a good one.",
                        "Un búfer que termina donde termina su área es válido.")})
check("R004-8-lazy", "any good buffer will do", "cualquier búfer válido sirve", 5, "any_good_buffer_will_do",
      ("A buffer that was never touched, or is shared, is faulted in by the copy.",
       "Un búfer que nadie tocó, o que está compartido, llega por el fallo de la propia copia."),
      {"good-pointer": ("A valid buffer was refused, or somebody else saw what was written. Does copy_to_user() do the copy?",
                        "Se rechazó un búfer válido, u otro vio lo que se escribió. ¿La copia la hace copy_to_user()?")},
      needs=("R004-8",))
check("M12", "a row agrees with itself while others run", "una fila es coherente aunque otras tareas corran", 5,
      "rows_agree_with_themselves",
      ("All numbers of a row are of one moment: of one hold of vm->lock.",
       "Todos los números de una fila son del mismo momento: de un mismo lock."),
      {"torn": ("The numbers of one row are of different moments. What happens to the task between the first and the last of "
                "them?",
                "Los números de una fila son de momentos distintos. ¿Qué le pasa a la tarea entre el primero y el último?")},
      cpus=4, seeds=3, needs=("R004-3",))
