"""The five workloads of `bench engine` in LangGraph, node for node.

Prints one JSON object: seconds of a run by workload, without a checkpointer ("bare") and
with the one that keeps checkpoints in memory before the next step begins ("memory"); medians
over the rounds, of `invoke` or of `ainvoke`, whichever is faster. The first run of each is not
counted.
"""

import asyncio
import json
import operator
import sys
import time
import warnings
from importlib.metadata import version
from statistics import median
from typing import Annotated, TypedDict

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import create_react_agent
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


class Scripted(BaseChatModel):
    """A model that calls the tool so many times and is done then."""

    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, tools, **options):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **options):
        turn = len(messages) // 2
        calls = [{"name": "weather", "args": {"place": "here"}, "id": f"call-{turn}"}] if turn < CALLS else []
        answer = AIMessage(content="" if calls else "it is sunny", id=f"model-{turn}", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(self, messages, stop=None, run_manager=None, **options):
        return self._generate(messages)


def weather(place: str) -> str:
    """The weather of a place."""
    return "it is sunny"


async def weather_soon(place: str) -> str:
    """The weather of a place."""
    return "it is sunny"


class React:
    """LangGraph's own agent: its loop of model and tools over messages that have ids."""

    def compile(self, checkpointer=None):
        tool = StructuredTool.from_function(weather, weather_soon)
        return create_react_agent(Scripted(), [tool], checkpointer=checkpointer)


def react():
    return React(), {"messages": [HumanMessage("what is the weather", id="question")]}


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


def configs(rounds, saved):
    for number in range(rounds + 1):
        config = {"recursion_limit": 100_000}
        if saved:
            config["configurable"] = {"thread_id": str(number)}
        yield config


def seconds(app, given, rounds, saved):
    took, options = [], {"durability": "sync"} if saved else {}
    for config in configs(rounds, saved):
        began = time.perf_counter()
        app.invoke(given, config, **options)
        took.append(time.perf_counter() - began)
    return median(took[1:])


async def seconds_async(app, given, rounds, saved):
    took, options = [], {"durability": "sync"} if saved else {}
    for config in configs(rounds, saved):
        began = time.perf_counter()
        await app.ainvoke(given, config, **options)
        took.append(time.perf_counter() - began)
    return median(took[1:])


def fastest(graph, given, rounds, saved):
    def app():
        return graph.compile(checkpointer=InMemorySaver()) if saved else graph.compile()

    waited = asyncio.run(seconds_async(app(), given, rounds, saved))
    return min(seconds(app(), given, rounds, saved), waited)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    warnings.simplefilter("ignore")
    found = {}
    for name, make in WORKLOADS.items():
        graph, given = make()
        found[name] = {
            "bare": fastest(graph, given, rounds, False),
            "memory": fastest(graph, given, rounds, True),
        }
    print(json.dumps({"langgraph": version("langgraph"), "seconds": found}))


main()
