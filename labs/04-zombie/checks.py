"""L4: the end of a task. S003."""
from labs import Lab

lab = Lab(__file__, title="ZOMBIE: how a task ends", title_es="ZOMBIE: cómo termina una tarea", machine="riscv", kernel=True,
          files=["kernel/task/task.c"], starter=[])

EARLY = ("A wakeup only says: look again. What has to be true before wait_for_task() may return, and who looks at it after each wakeup?",
         "Un wakeup solo dice: vuelva a mirar. ¿Qué tiene que ser cierto para que wait_for_task() vuelva, y quién lo mira tras cada wakeup?")
CODE = ("The code must be in the descriptor before anybody can see ZOMBIE, and the waiter must read it while the descriptor is still there.",
        "El código debe estar en el descriptor antes de que alguien pueda ver ZOMBIE, y quien espera debe leerlo mientras el descriptor existe.")
STACK = ("A dying task runs on its kernel stack until the last switch is done: who frees the stack, on whose stack does that code run, and how "
         "does the waiter know that it is over (on_cpu)?",
         "Una tarea que muere usa su pila de kernel hasta completar el último cambio de contexto: ¿quién libera la pila, sobre qué pila corre ese "
         "código y cómo sabe quien espera que ya terminó (on_cpu)?")
LOST = ("Between the waiter's look at the state and its sleep the end must not fit, nor its wakeup: which lock covers both sides, and what does "
        "terminate() do under it?",
        "Entre la mirada al estado y el sueño de quien espera no debe caber el final ni su wakeup: ¿qué lock cubre ambos lados y qué hace "
        "terminate() con él tomado?")
ORDER = ("The line above says which rule was broken. A lock order: docs/locks.md has the table. A stack or a frame: who else still uses it?",
         "La línea de arriba dice qué regla se rompió. Orden de locks: la tabla está en docs/locks.md. Pila o marco: ¿quién más lo usa todavía?")
LEAK = ("Each task has a kernel stack and a descriptor: one is freed after its last switch, the other by who waited. Which one never is?",
        "Cada tarea tiene una pila de kernel y un descriptor: una se libera tras su último cambio de contexto; el otro, por quien esperó. ¿Cuál no "
        "se libera nunca?")
LIVE = ("`live` counts the tasks that are not ZOMBIE: under which lock does it change, and when?",
        "`live` cuenta las tareas que no son ZOMBIE: ¿con qué lock cambia, y cuándo?")
ZOMBIE = ("An ended task stays in the list, as ZOMBIE, until somebody has its code. Who but the waiter may free the descriptor?",
          "Una tarea terminada queda en la lista, como ZOMBIE, hasta que alguien reciba su código. ¿Quién, salvo el que espera, puede liberar el "
          "descriptor?")
ALL = {"early": EARLY, "wrong-code": CODE, "leak": LEAK, "live": LIVE, "no-zombie": ZOMBIE, "panic": ORDER, "trap": STACK, "deadlock": LOST,
       "lost-wakeup": LOST, "stale": (
           "When the code was handed over, the pid must be nobody's: is the task taken out of the table and the list?",
           "Una vez entregado el código, ese pid no debe ser de nadie: ¿se saca la tarea de la tabla y de la lista?"),
       "still-there": ("Who has got the code takes the task out of list and table and frees its descriptor.",
                       "Quien recibió el código saca la tarea de la lista y la tabla y libera su descriptor.")}

lab.check("R003-8", "the waiter gets the code", es="quien espera recibe el código", points=15, guest="wait_comes_first",
          hint=("terminate() and wait_for_task() belong together: one stores the code and wakes, the other sleeps until ZOMBIE and fetches it.",
                "terminate() y wait_for_task() van juntas: una guarda el código y despierta; la otra duerme hasta ZOMBIE y lo recoge."), hints=ALL)
lab.check("R003-8-after", "also when the task ended before", es="también si la tarea terminó antes", points=10, guest="end_comes_first",
          needs=["R003-8"],
          hint=("If the state is ZOMBIE already, there is nothing to sleep for.", "Si el estado ya es ZOMBIE, no hay por qué dormir."), hints=ALL)
lab.check("R003-9", "a zombie nobody waits for: it stays, its stack goes", es="zombi que nadie espera: queda, pero sin su pila", points=15,
          guest="nobody_waits", needs=["R003-8"], hint=ZOMBIE, hints={**ALL, "stack-stays": (
              "The stack is freed by the code that runs after the last switch, not by the waiter, who may never come: release_stack().",
              "La pila la libera el código que corre tras el último cambio de contexto, no quien espera, que tal vez nunca llegue: release_stack().")})
lab.check("R003-8-leak", "1000 tasks come and go: nothing is lost", es="1000 tareas van y vienen: no se pierde nada", points=10,
          guest="nothing_is_lost", needs=["R003-8"], hint=LEAK, hints=ALL)
lab.check("A003-4-pid", "oneself, nobody, or one waited for already", es="uno mismo, nadie o una ya esperada", points=10, guest="bad_pids",
          needs=["R003-8"],
          hint=("-EINVAL for oneself, -ECHILD for a pid that is nobody's (any more).",
                "-EINVAL si es uno mismo, -ECHILD si el pid no es (o ya no es) de nadie."),
          hints={**ALL, "self": ("Nobody can wake a task that waits for its own end: this must be seen before it sleeps.",
                                 "Nadie puede despertar a una tarea que espera su propio final: hay que verlo antes de dormir.")})
lab.check("A003-4-loop", "a wakeup is not an end", es="un wakeup no es un final", points=10, guest="wakeup_is_no_end", cpus=2,
          needs=["R003-8"], hint=EARLY, hints=ALL)
lab.check("M7-two", "two waiters: one gets the code", es="dos esperan: una recibe el código", points=5, guest="two_waiters", cpus=4,
          needs=["R003-8"],
          hint=("Who begins to wait marks the task as claimed; the next one is refused.",
                "Quien empieza a esperar marca la tarea como reclamada (claimed); al siguiente se lo rechaza."), hints=ALL)
lab.check("M7-killed", "a killed waiter lets go", es="quien espera y es eliminado la suelta", points=5, guest="waiter_is_killed", cpus=2,
          needs=["R003-8"],
          hint=("suspend() says -EINTR when the waiter was killed: then it must undo what it marked, and tell its caller.",
                "suspend() da -EINTR cuando eliminaron a quien espera: entonces debe deshacer lo que marcó e informarlo."), hints=ALL)
lab.check("M7", "4 harts: no wakeup is lost", es="4 harts: no se pierde ningún wakeup", points=10, guest="no_wakeup_is_lost", cpus=4, seeds=3,
          needs=["R003-8-after"], hint=LOST, hints=ALL)
lab.check("M8", "4 harts: the stack is left before it is freed", es="4 harts: la pila se abandona antes de liberarla", points=5,
          guest="stack_is_left_first", cpus=4, seeds=3, needs=["R003-8-after"], hint=STACK, hints={**ALL, "panic": STACK, "livelock": STACK})
lab.check("M7-all", "4 harts: 1000 tasks come and go", es="4 harts: 1000 tareas van y vienen", points=5, guest="on_all_harts", cpus=4, seeds=3,
          needs=["R003-8-after"], hint=LOST, hints=ALL)
