"""L2: unmap_page(). S003, exercise 3."""
from labs import Lab

lab = Lab(__file__, title="unmap_page: take a page away", title_es="unmap_page: quitar una página", machine="riscv", kernel=True,
          files=["kernel/arch/riscv/arch.c"], starter=["R003-6-page", "R003-6-table", "R003-6-sibling", "R003-6-keep"])

lab.check("R003-6", "the entry is cleared", es="la entrada queda vacía", points=15, guest="entry_is_cleared",
          hint=("Find the leaf entry with leaf_find() and set its bits to 0.", "Busque la entrada hoja con leaf_find() y ponga sus bits en 0."),
          hints={"not-cleared": ("The entry is still valid: whoever walks the table finds the page. Write 0 to entry->bits.",
                                 "La entrada sigue siendo válida: quien recorra la tabla encuentra la página. Escriba 0 en entry->bits.")})
lab.check("R003-13", "a load afterwards faults", es="después, una lectura produce un fallo", points=15, guest="a_load_faults_afterwards",
          needs=["R003-6"],
          hint=("Is the entry cleared, and does no TLB remember it?", "¿Está vacía la entrada y ninguna TLB la recuerda?"))
lab.check("R003-6-free", "the frame goes back, if that was asked for", es="el marco vuelve, si se pidió", points=10,
          guest="frame_goes_back_if_asked", needs=["R003-6"],
          hint=("With free_frame, free_page() gets the frame that the entry pointed to: read it before you clear the entry.",
                "Con free_frame, free_page() recibe el marco al que apuntaba la entrada: léalo antes de borrarla."))
lab.check("R003-6-keep", "the frame stays, if not", es="el marco se queda, si no se pidió", points=10, guest="frame_stays_if_not_asked",
          hint=("free_frame is false: the caller still owns the frame.", "free_frame es falso: el marco sigue siendo de quien llama."),
          hints={"freed-anyway": ("You free the frame although free_frame is false: the caller will use it, and free it again.",
                                  "Libera el marco aunque free_frame es falso: quien llama lo usará y lo liberará otra vez.")})
lab.check("R003-6-page", "an absent page: nothing happens", es="página ausente: no pasa nada", points=10, guest="absent_page_is_nothing",
          hint=("The table is there, but the entry is not valid: return, and free nothing.",
                "La tabla está, pero la entrada no es válida: vuelva sin liberar nada."))
lab.check("R003-6-table", "an absent table: nothing happens", es="tabla ausente: no pasa nada", points=10,
          guest="absent_table_is_nothing",
          hint=("leaf_find() gives NULL when there is no table: look before you use it.",
                "leaf_find() da NULL cuando no hay tabla: mire antes de usarla."),
          hints={"makes-tables": ("Unmapping must not make page tables: use leaf_find(), not leaf_table(..., true).",
                                  "Quitar una página no debe crear tablas: use leaf_find(), no leaf_table(..., true).")})
lab.check("R003-6-sibling", "neighbours stay", es="las vecinas quedan intactas", points=5, guest="siblings_are_intact",
          hint=("Only one entry may change.", "Solo debe cambiar una entrada."))
lab.check("R003-6-leak", "no frame is lost, empty tables go", es="no se pierden marcos, las tablas vacías desaparecen", points=10,
          guest="tables_go_when_empty", needs=["R003-6-free"],
          hint=("Count the table's entries down and call leaf_table_release() at the end.",
                "Descuente las entradas de la tabla y llame a leaf_table_release() al final."))
lab.check("M1-local", "this hart forgets the translation", es="este hart olvida la traducción", points=5, guest="own_hart_forgets_too",
          needs=["R003-13"],
          hint=("The TLB still holds the translation: a fence is missing (flush_cpus).",
                "La TLB todavía tiene la traducción: falta un fence (flush_cpus)."))
lab.check("M1", "every hart forgets it", es="todos los harts la olvidan", points=5, guest="no_stale_read_on_another_hart", cpus=4, seeds=3,
          needs=["R003-13"],
          hint=("Other harts have TLBs of their own: flush_cpus(ALL_CPUS), not flush_local(), and after the entry was cleared.",
                "Los otros harts tienen su propia TLB: flush_cpus(ALL_CPUS), no flush_local(), y después de borrar la entrada."))
lab.check("M1-order", "the frame is freed last", es="el marco se libera al final", points=5, guest="frame_is_freed_last", cpus=4, seeds=3,
          needs=["R003-6-free"],
          hint=("Clear the entry, then the fence, and only then free_page(): before that a hart can still read the frame.",
                "Borre la entrada, luego el fence, y recién entonces free_page(): antes, un hart aún puede leer el marco."))
