"""L13: six races. S003, and the rules for several harts."""
import hashlib
import re

from labs import Lab

ANSWERS = "labs/13-races/answers.txt"
lab = Lab(__file__, title="Race hunt", title_es="Cacería de carreras", machine="riscv", kernel=True,
          files=["kernel/arch/riscv/arch.c", "kernel/mm/kalloc.h", "kernel/task/task.c", ANSWERS], starter=[])

SMP = {"cpus": 4, "seeds": 3}
DEBUG = ("Stop it under the debugger (the line above) where the message comes from, and look at what the other harts are doing: info threads, "
         "tasks, locks.",
         "Detenga la máquina en el depurador (línea de arriba) donde nace el mensaje y mire qué hacen los otros harts: info threads, tasks, "
         "locks.")


def with_debugging(en, es):
    return {"hint": (en, es), "hints": {key: (en + " " + DEBUG[0], es + " " + DEBUG[1]) for key in ("panic", "trap", "deadlock", "livelock")}}


lab.check("L13-A", "a page goes while a hart reads it", es="una página se va mientras un hart la lee", points=12, guest="page_goes", **SMP,
          **with_debugging("Which three steps take a mapping away, and in which order? How does another hart still get to the frame?",
                           "¿Qué tres pasos quitan un mapeo, y en qué orden? ¿Cómo llega todavía otro hart al marco?"))
lab.check("L13-B", "two drop the last two references", es="dos sueltan las dos últimas referencias", points=12, guest="references_dropped", **SMP,
          **with_debugging("Two tasks go through the same lines with the count at 2. Write down what each one reads and writes, line by line.",
                           "Dos tareas pasan por las mismas líneas con la cuenta en 2. Anote qué lee y qué escribe cada una, línea por línea."))
lab.check("L13-C", "new tasks that fault at once", es="tareas nuevas que fallan de inmediato", points=12, guest="new_tasks", **SMP,
          **with_debugging("What does the new task look like at its first instruction? From which line on may another hart run it?",
                           "¿Cómo es la tarea nueva en su primera instrucción? ¿A partir de qué línea puede ejecutarla otro hart?"))
waiter = with_debugging("Between the last look at the state and the sleep there is a gap: what can happen in it, and whose wakeup is lost?",
                        "Entre la última mirada al estado y el sueño hay un hueco: ¿qué puede pasar ahí, y qué wakeup se pierde?")
waiter["hints"]["panic"] = ("If the message is `freed twice`, this is not race D: B and E together show here, too. Mend one of them first.",
                            "Si el mensaje es `freed twice`, no es la carrera D: B y E juntas se ven también aquí. Corrija antes una de ellas.")
lab.check("L13-D", "an end meets a waiter", es="un final se cruza con quien espera", points=12, guest="waiter_and_end", **SMP, **waiter)
lab.check("L13-E", "waited for while dying", es="esperada mientras muere", points=12, guest="death_watched", **SMP,
          **with_debugging("A ZOMBIE may still be on a CPU for some instructions: what does it still need, and who takes it away?",
                           "Un ZOMBIE puede seguir en una CPU unas instrucciones más: ¿qué necesita todavía, y quién se lo quita?"))
lab.check("L13-F", "groups are set, tasks come and go", es="se cambian grupos, van y vienen tareas", points=12, guest="groups", **SMP,
          **with_debugging("Two locks, two orders: who takes them the other way round? docs/locks.md has the table.",
                           "Dos locks, dos órdenes: ¿quién los toma al revés? La tabla está en docs/locks.md."))

RIGHT = {  # sha256("tamal RACE WHAT answer"): nobody reads an answer here by chance
    "A rule": ["0629fc96e0ff"], "A function": ["9f0999bfea36"], "B rule": ["6f8b4db1922e"], "B function": ["37c43f0b895a"], "C rule": ["6123444851d0"], "C function": ["179a57e81405", "17dd84ba75f8"],
    "D rule": ["9c1a4c9c8ea4"], "D function": ["179e2e6eafa6"], "E rule": ["b961c30a4986"], "E function": ["144603491213"], "F rule": ["6518487ea2a6"], "F function": ["6664ea205d82"],
}
EMPTY = {"empty": ("Write the answer behind the colon, also when you are not sure.", "Escriba la respuesta tras los dos puntos, aunque no esté seguro.")}


def given(look, what):
    found = re.search(rf"^{what}:[ \t]*(.*)$", look.file(ANSWERS), re.M)
    look.expect(found is not None and found[1].strip() != "", "empty", f"{ANSWERS}: expected an answer behind '{what}:'", stop=True)
    return found[1].strip().lower().removesuffix("()")


def right(look, what):
    answer = given(look, what)
    look.expect(hashlib.sha256(f"tamal {what} {answer}".encode()).hexdigest()[:12] in RIGHT[what], "", f"{ANSWERS}: {what}: '{answer}' is not it")


@lab.outside("L13-rules", "answers: which rule was broken", es="respuestas: qué regla se violó", points=12,
             hint=("The README tells the rules. Which one says that what you mended may not happen?",
                   "El README enumera las reglas. ¿Cuál dice que lo que usted corrigió no puede pasar?"), hints=EMPTY)
def rules(look):
    for race in "ABCDEF":
        right(look, f"{race} rule")


@lab.outside("L13-functions", "answers: in which function", es="respuestas: en qué función", points=12,
             hint=("The name of the C function whose lines were in the wrong order, or missing: the one that you changed.",
                   "El nombre de la función de C cuyas líneas estaban en mal orden o faltaban: la que usted cambió."), hints=EMPTY)
def functions(look):
    for race in "ABCDEF":
        right(look, f"{race} function")


@lab.outside("L13-seeds", "answers: a seed that shows it", es="respuestas: una semilla que la muestra", points=4,
             hint=("`again:` under a failed check ends in SEED=...: a number.", "Bajo una prueba que falla, `repetir:` termina en SEED=...: un número."),
             hints=EMPTY)
def seeds(look):
    for race in "ABCDEF":
        look.expect(given(look, f"{race} seed").isdigit(), "", f"{ANSWERS}: {race} seed: expected a number, saw '{given(look, f'{race} seed')}'")
