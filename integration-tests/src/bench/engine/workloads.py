"""The five workloads of `bench engine` in LangGraph, node for node.

Prints one JSON object: seconds of a run by workload, without a checkpointer ("bare") and
with the one that keeps checkpoints in memory ("memory"); medians over the rounds. The first
run of each is not counted.
"""

import json
import operator
import sys
import time
from importlib.metadata import version
from statistics import median
from typing import Annotated, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

CHAIN, ITEMS, BUMPS, CALLS, KEYS, MESSAGES, NESTED = 1000, 100, 10, 100, 15, 300, 100


def sequential():
    class State(TypedDict, total=False):
        seen: int

    graph = StateGraph(State)
    for number in range(CHAIN):
        graph.add_node(f"n{number}", lambda state: {})
        graph.add_edge(START if number == 0 else f"n{number - 1}", f"n{number}")
    graph.add_edge(f"n{CHAIN - 1}", END)
    return graph, {"seen": 0}


def fan_out():
    class Joke(TypedDict, total=False):
        subject: str
        joke: str
        bumps: Annotated[int, operator.add]

    class State(TypedDict, total=False):
        subjects: list
        jokes: Annotated[list, operator.add]

    joke = StateGraph(Joke)
    joke.add_node("edit", lambda state: {"subject": state["subject"] + " hohoho"})
    joke.add_node("write", lambda state: {"joke": "a joke about " + state["subject"]})
    joke.add_node("bump", lambda state: {"bumps": 1, "joke": state["joke"] + "!"})
    joke.add_edge(START, "edit")
    joke.add_edge("edit", "write")
    joke.add_edge("write", "bump")
    joke.add_conditional_edges("bump", lambda state: "bump" if state["bumps"] < BUMPS else END, ["bump", END])
    inner = joke.compile()

    graph = StateGraph(State)
    graph.add_node("each", lambda state: {"jokes": [inner.invoke(state)["joke"]]})
    graph.add_conditional_edges(
        START, lambda state: [Send("each", {"subject": text, "bumps": 0}) for text in state["subjects"]], ["each"]
    )
    graph.add_edge("each", END)
    return graph, {"subjects": [f"{number:03}" * 300 for number in range(ITEMS)]}


def react():
    class State(TypedDict, total=False):
        question: str
        messages: Annotated[list, operator.add]
        turns: Annotated[int, operator.add]

    graph = StateGraph(State)
    graph.add_node(
        "model",
        lambda state: {"messages": [{"role": "assistant", "text": state["question"], "turn": state["turns"]}]},
    )
    graph.add_node(
        "tool",
        lambda state: {"messages": [{"role": "tool", "text": "it is sunny", "turn": state["turns"]}], "turns": 1},
    )
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", lambda state: "tool" if state["turns"] < CALLS else END, ["tool", END])
    graph.add_edge("tool", "model")
    return graph, {"question": "what is the weather", "messages": [], "turns": 0}


def wide_state():
    def last(_, new):
        return new

    fields = {f"k{key}": Annotated[dict, last] for key in range(KEYS)}
    fields |= {"payload": dict, "messages": Annotated[list, operator.add], "count": Annotated[int, operator.add]}
    state_type = TypedDict("State", fields, total=False)

    graph = StateGraph(state_type)
    graph.add_node("one", lambda state: {"messages": list(range(25))})
    graph.add_edge(START, "one")
    branches = ["two", "three", "four", "five", "six"]
    for place, name in enumerate(branches):
        keys = [f"k{key}" for key in range(KEYS) if key % 5 == place]
        graph.add_node(name, lambda state, keys=keys: {key: state["payload"] for key in keys})
        graph.add_edge("one", name)
    graph.add_node("seven", lambda state: {"count": 25})
    graph.add_edge(branches, "seven")
    graph.add_conditional_edges("seven", lambda state: "one" if state["count"] < MESSAGES else END, ["one", END])
    cell = ["hi " * 10, True, 1, 6327816386138, None]
    return graph, {"payload": {f"key-{number:02}": cell for number in range(25)}, "messages": [], "count": 0}


def nested():
    class State(TypedDict, total=False):
        count: int

    inner = StateGraph(State)
    inner.add_node("one", lambda state: {"count": state["count"] + 1})
    inner.add_node("two", lambda state: {})
    inner.add_edge(START, "one")
    inner.add_edge("one", "two")
    inner.add_edge("two", END)
    middle = StateGraph(State)
    middle.add_node("call", inner.compile())
    middle.add_edge(START, "call")
    middle.add_edge("call", END)
    graph = StateGraph(State)
    graph.add_node("call", middle.compile())
    graph.add_edge(START, "call")
    graph.add_conditional_edges("call", lambda state: "call" if state["count"] < NESTED else END, ["call", END])
    return graph, {"count": 0}


WORKLOADS = {
    "sequential_1000": sequential,
    "fan_out_100": fan_out,
    "react_100": react,
    "wide_state_25x300": wide_state,
    "nested_100": nested,
}


def seconds(app, given, rounds, saved):
    took = []
    for number in range(rounds + 1):
        config = {"recursion_limit": 100_000}
        if saved:
            config["configurable"] = {"thread_id": str(number)}
        began = time.perf_counter()
        app.invoke(given, config)
        took.append(time.perf_counter() - began)
    return median(took[1:])


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found = {}
    for name, make in WORKLOADS.items():
        graph, given = make()
        found[name] = {
            "bare": seconds(graph.compile(), given, rounds, False),
            "memory": seconds(graph.compile(checkpointer=InMemorySaver()), given, rounds, True),
        }
    print(json.dumps({"langgraph": version("langgraph"), "seconds": found}))


main()
