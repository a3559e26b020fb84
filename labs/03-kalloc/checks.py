"""L3: the frame allocator on many harts. S003."""
import re

from labs import Lab

lab = Lab(__file__, title="kalloc: frames for many harts", title_es="kalloc: marcos para muchos harts", machine="riscv", kernel=True,
          files=["kernel/mm/kalloc.c", "kernel/mm/kalloc.h"], starter=[])

COUNT = ("The count of a list must change together with its chain, by as many frames as were moved: look at each place where frames "
         "change lists.",
         "La cuenta de una lista debe cambiar junto con su cadena, en tantos marcos como se movieron: revise cada lugar donde los marcos "
         "cambian de lista.")
TRAP = ("The allocator followed a pointer that is none: the `next` of a chain that had ended, or a frame outside of RAM.",
        "El asignador siguió un puntero que no lo es: el `next` de una cadena que ya había terminado, o un marco fuera de la RAM.")
RACE = ("Between reading the head and writing the new one nobody else may come: which lock guards this list, and from where to where is it "
        "held?",
        "Entre leer la cabeza y escribir la nueva no puede entrar nadie: ¿qué lock protege esta lista, y desde dónde hasta dónde se mantiene?")
LOST = ("Frames were lost or came back twice: two harts changed a list or its count at the same time, or a chain was cut in the wrong place.",
        "Se perdieron marcos o volvieron dos veces: dos harts cambiaron una lista o su cuenta a la vez, o una cadena se cortó donde no era.")
SMP = {"twice": RACE, "lost": LOST, "panic": RACE, "trap": RACE, "livelock": LOST, "deadlock": (
    "A lock was taken and not given back on every way out of the function, or two are held at once.",
    "Un lock se tomó y no se soltó en alguna salida de la función, o se tienen dos a la vez.")}
START = ("The kernel did not get far. Which addresses does the loop of init_kalloc() visit, the first and the last one? Debug builds fill "
         "each free frame with 0x05, so a frame too many destroys what lies there. Is the head of a list looked at before it is followed? "
         "The CPU's own list is empty at first. And does alloc_page() give zeroed frames, also to who makes the first page table?",
         "El kernel no llegó lejos. ¿Qué direcciones recorre el bucle de init_kalloc(), la primera y la última? En modo debug cada marco libre "
         "se llena con 0x05, así que un marco de más destruye lo que hay ahí. ¿Se mira la cabeza de una lista antes de seguirla? La lista "
         "propia de la CPU está vacía al comienzo. ¿Y alloc_page() entrega marcos en cero, también a quien crea la primera tabla de páginas?")

lab.check("R003-1", "all frames of RAM are counted", es="se cuentan todos los marcos de la RAM", points=10, guest="every_frame_is_there",
          hint=START, hints={"wrong-count": (
              "From frame_table.first (included) to the end of RAM (not included), one frame each 4096 bytes.",
              "Desde frame_table.first (incluido) hasta el final de la RAM (sin incluirlo), un marco cada 4096 bytes."),
              "trap": START, "panic": START, "silent": START})
lab.check("R003-2", "what is freed last is handed out first", es="lo último liberado es lo primero que se entrega", points=10,
          guest="last_in_first_out", needs=["R003-1"],
          hint=("push() puts a frame at the head of this hart's list, pop() takes the head.",
                "push() pone el marco en la cabeza de la lista de este hart, pop() saca la cabeza."),
          hints={"twice": ("The same frame was handed out twice: does pop() move the head on?",
                           "El mismo marco se entregó dos veces: ¿pop() avanza la cabeza?"), "trap": TRAP})
lab.check("R003-2-zero", "a frame is zero", es="el marco viene en cero", points=10, guest="frames_are_zero",
          hint=("alloc_page() promises a zeroed frame; what alloc_page_raw() gives still has what its last owner left.",
                "alloc_page() promete un marco en cero; lo que da alloc_page_raw() aún tiene lo que dejó su dueño anterior."),
          hints={"panic": ("Page tables are made of frames from alloc_page(): if they are not all zero, the kernel sees entries that nobody made.",
                           "Las tablas de páginas se hacen con marcos de alloc_page(): si no están en cero, el kernel ve entradas que nadie creó.")})
lab.check("R003-2-count", "the count is right after each step", es="la cuenta es correcta tras cada paso", points=10, guest="count_is_exact",
          needs=["R003-1"], hint=COUNT, hints={"trap": TRAP, "twice": (
              "The same frame is in two chains: when half of a list goes to the pool, where does the other half end?",
              "El mismo marco está en dos cadenas: cuando media lista va al pool, ¿dónde termina la otra mitad?")})
lab.check("R003-2-empty", "every frame can be had, then NULL", es="se obtienen todos los marcos, y después NULL", points=10,
          guest="every_frame_and_null", needs=["R003-1", "R003-2"],
          hint=COUNT, hints={"last-frame": (
              "RAM's last frame cannot be had: where does the loop of init_kalloc() begin?",
              "El último marco de la RAM no se obtiene: ¿dónde empieza el bucle de init_kalloc()?"),
              "trap": ("An empty list has no head: look at it before you follow it.",
                       "Una lista vacía no tiene cabeza: mírela antes de seguirla."),
              "panic": TRAP})


def refused(look, name):
    """free_page() of an address it must not take ends in a panic that names it."""
    word, console = look.console(append=f"demo=check job={'0' * 32}{look.seed:016x}:{name}", seconds=20)
    address = re.search(r"^check: frees (0x[0-9a-f]+)$", console, re.M)
    look.expect(address is not None, "", f"the check did not come so far: {word}", stop=True)
    look.expect("check: went on" not in console, "accepted", f"free_page({address[1]}) must end in a panic, but it took the address")
    panic = re.search(r"^panic: (.*)$", console, re.M)
    look.expect(panic is not None, "accepted", f"free_page({address[1]}) must end in a panic, saw: {word}")
    look.expect(panic is None or address[1] in panic[1], "no-address",
                f"the panic must name the address {address[1]}, saw: {panic[1] if panic else ''}")


ADDRESS = {"no-address": ("Who reads the panic wants to know which frame: bad_frame() prints it.",
                          "Quien lee el pánico quiere saber qué marco era: bad_frame() lo imprime.")}


@lab.outside("R003-2-twice", "freed twice: panic", es="liberado dos veces: pánico", points=5, needs=["R003-2"],
             hint=("The count of references tells: what was it before free_page() took one away?",
                   "Lo dice la cuenta de referencias: ¿cuánto valía antes de que free_page() quitara una?"), hints=ADDRESS)
def freed_twice(look):
    refused(look, "free_twice")


@lab.outside("R003-2-align", "not the start of a frame: panic", es="no es el inicio de un marco: pánico", points=5, needs=["R003-2"],
             hint=("page_of() finds the descriptor of a frame. What must hold for an address to be the start of one?",
                   "page_of() encuentra el descriptor de un marco. ¿Qué debe cumplir una dirección para ser el inicio de uno?"), hints=ADDRESS)
def freed_misaligned(look):
    refused(look, "free_misaligned")


@lab.outside("R003-2-range", "outside of the frames: panic", es="fuera de los marcos: pánico", points=5, needs=["R003-2"],
             hint=("Below the first frame and behind the last one there is no descriptor: page_of() must see that before it uses the index.",
                   "Antes del primer marco y después del último no hay descriptor: page_of() debe verlo antes de usar el índice."),
             hints=ADDRESS)
def freed_outside(look):
    refused(look, "free_below")
    refused(look, "free_above")


lab.check("A003-1-batches", "4 harts, 10000 frames each: the pool", es="4 harts, 10000 marcos cada uno: el pool", points=15,
          guest="all_harts_move_batches", cpus=4, seeds=3, needs=["R003-2-count"], hint=RACE, hints=SMP)
lab.check("A003-1", "4 harts and the last frames: each other's lists", es="4 harts y los últimos marcos: las listas de los otros", points=15,
          guest="harts_fight_for_the_last", cpus=4, seeds=3, needs=["R003-2-empty"], hint=RACE, hints=SMP)
lab.check("A003-1-all", "4 harts take everything: each frame once", es="4 harts toman todo: cada marco una vez", points=5,
          guest="all_harts_take_all", cpus=4, needs=["R003-2-empty"], hint=RACE, hints=SMP)
