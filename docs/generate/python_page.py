"""The page of the Python interface: what `import sightline` offers, from its docstrings."""

import inspect

import sightline

INTRODUCTION = """\
# Python interface

`import sightline` imports nothing heavy; a name is loaded when it is used. A guide with examples:
[](../guides/python.md).
"""
DIRECTIVE = """\
```{{eval-rst}}
.. auto{kind}:: {name}{members}
```
"""


def python_page() -> str:
    """The page in Markdown; Sphinx fills in the docstrings."""
    parts = [INTRODUCTION]
    for name in sightline.__all__:
        thing = getattr(sightline, name)
        if inspect.isclass(thing):
            kind, members = "class", "\n   :members:"
        elif inspect.isfunction(thing):
            kind, members = "function", ""
        else:
            continue
        where = f"{thing.__module__}.{thing.__qualname__}"
        parts += [f"## {name}\n", DIRECTIVE.format(kind=kind, name=where, members=members)]
    return "\n".join(parts)
