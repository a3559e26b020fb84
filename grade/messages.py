"""Words for people, in English and Spanish."""

ENDINGS = {
    "done":     ("the check ended", "la prueba terminó"),
    "panic":    ("the kernel panicked", "el kernel entró en pánico"),
    "trap":     ("unexpected trap in the kernel", "excepción inesperada en el kernel"),
    "reboot":   ("the machine was reset", "la máquina se reinició"),
    "silent":   ("silent boot: no first line", "arranque mudo: no hay primera línea"),
    "deadlock": ("deadlock", "interbloqueo"),
    "livelock": ("livelock: busy, but nothing gets done", "livelock: trabaja, pero nada avanza"),
    "timeout":  ("timeout: too long by the machine's own clock", "tiempo agotado según el reloj de la propia máquina"),
    "evicted":  ("the check's own task was killed", "el kernel eliminó la tarea de la prueba"),
    "off":      ("the machine went off early", "la máquina se apagó antes de tiempo"),
    "flood":    ("endless output", "salida sin fin"),
    "build":    ("it does not build", "no compila"),
    "garbled":  ("records are missing or were made up", "faltan registros o fueron inventados"),
}

# What to look at when a run ends so: shown when the lab has no hint of its own for it.
ENDING_HINTS = {
    "panic":    ("The line above names what and where. docs/debugging.md: `break panic`, then `backtrace`.",
                 "La línea de arriba dice qué y dónde. docs/debugging.md: `break panic` y después `backtrace`."),
    "trap":     ("The kernel itself touched an address it may not. Which pointer was that, and who made it?",
                 "El propio kernel tocó una dirección que no puede usar. ¿Qué puntero era y quién lo calculó?"),
    "reboot":   ("The processor found no way to handle a fault. Are page table, stack and trap vector what they should be?",
                 "El procesador no encontró cómo atender una excepción. ¿Están bien la tabla de páginas, la pila y el vector?"),
    "silent":   ("The kernel died before it could speak. Step from `kmain` with `make gdb`.",
                 "El kernel murió antes de poder hablar. Avance paso a paso desde `kmain` con `make gdb`."),
    "deadlock": ("Who should have woken the task that waits, or released the lock? In gdb: `tasks`, `locks`.",
                 "¿Quién debía despertar a la tarea que espera o soltar el lock? En gdb: `tasks`, `locks`."),
    "livelock": ("A loop does not end, or a fault comes again and again because nothing changed. Break in the function named above.",
                 "Un bucle no termina, o un fallo se repite porque nada cambió. Ponga un breakpoint en la función nombrada."),
    "timeout":  ("It goes on, but far too slowly, or it waits for something that does not come.",
                 "Avanza, pero demasiado lento, o espera algo que no llega."),
    "evicted":  ("The kernel killed a task that did nothing wrong: see the `fault:` line. Which case of the fault handler said no?",
                 "El kernel eliminó una tarea que no hizo nada malo: vea la línea `fault:`. ¿Qué caso del manejador dijo que no?"),
    "off":      ("Nothing but the check's end may switch the machine off.",
                 "Nada salvo el fin de la prueba puede apagar la máquina."),
    "flood":    ("Something prints in a loop.", "Algo imprime en un bucle."),
    "build":    ("The compiler's first message is the one to mend.", "El primer mensaje del compilador es el que hay que corregir."),
    "garbled":  ("The console carries the check's records: is output lost, mixed, or printed by the kernel itself?",
                 "La consola lleva los registros de la prueba: ¿se pierde salida, se mezcla o la imprime el propio kernel?"),
}

TEXT = {
    "lab":      ("Lab", "Laboratorio"),
    "points":   ("points", "puntos"),
    "expected": ("  saw: ", "  visto: "),
    "hint":     ("  hint: ", "  pista: "),
    "again":    ("  again: ", "  repetir: "),
    "debug":    ("  in gdb: ", "  en gdb: "),
    "ok":       ("ok", "bien"),
    "FAIL":     ("FAIL", "FALLA"),
    "skip":     ("skipped", "omitida"),
    "needs":    ("needs", "requiere"),
    "seed":     ("seed", "semilla"),
    "of":       ("of", "de"),
    "total":    ("Total", "Total"),
    "passed":   ("checks passed", "pruebas bien"),
    "waiting":  ("another `make grade` works in this tree: waiting for its end",
                 "otro `make grade` trabaja en este árbol: se espera a que termine"),
    "child":    ("forged or repeated lines were ignored", "se ignoraron líneas falsas o repetidas"),
}


def say(key, language, table=TEXT):
    pair = table.get(key, (key, key))
    return pair[1 if language == "es" else 0]
