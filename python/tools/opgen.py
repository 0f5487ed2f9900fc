#!/usr/bin/env python3
"""Writes what derives from the ops in tensor/ops/*.cpp: tensor/ops.h, the type stub, docs/ops.md.

python/tools/opgen.py          write the files
python/tools/opgen.py --check  exit 1 if a file is not what would be written
"""

import argparse
import pathlib
import re
import sys

import docgen

ROOT = pathlib.Path(__file__).resolve().parents[2]

DEFINITION = re.compile(
    r'^const Op (\w+)\{\{\s*\.sig =\s*((?:"[^"]*"\s*)+),(?:\s*\.doc =\s*((?:"(?:[^"\\]|\\.)*"\s*)+),)?',
    re.M,
)

CPP_TYPES = {
    "Tensor": "const Tensor&",
    "Tensor?": "const Tensor&",
    "Operand": "const Operand&",
    "Operand?": "const std::optional<Operand>&",
    "Tensor[]": "std::span<const Tensor>",
    "Scalar": "Scalar",
    "int": "int64_t",
    "float": "double",
    "bool": "bool",
    "int[]": "IntList",
    "int[]?": "OptionalIntList",
    "str": "std::string_view",
    "dtype": "Dtype",
    "Generator?": "Generator*",
}


class Param:
    def __init__(self, text):
        declared, _, default = (part.strip() for part in text.partition("="))
        self.type, self.name = declared.rsplit(" ", 1)
        self.default = default or None
        base = re.sub(r"int\[\d+\]", "int[]", self.type)
        if base in CPP_TYPES:
            self.cpp_type = CPP_TYPES[base]
        else:
            self.cpp_type = f"std::optional<{CPP_TYPES[base.rstrip('?')]}>"

    def cpp(self):
        default = self.default
        if default is None:
            return f"{self.cpp_type} {self.name}"
        if default == "None":
            default = "nullptr" if self.cpp_type == "Generator*" else "{}"
        elif default in ("True", "False"):
            default = default.lower()
        elif default[0] in "([":
            default = "{" + default[1:-1] + "}"
        elif default == "inf":
            default = "__builtin_inf()"
        elif default == "-inf":
            default = "-__builtin_inf()"
        elif default.startswith("'"):
            default = '"' + default[1:-1] + '"'
        if self.cpp_type == "IntList" and default[0] != "{":
            default = "{" + default + "}"
        return f"{self.cpp_type} {self.name} = {default}"


class Op:
    def __init__(self, variable, signature, doc, source, body):
        self.variable, self.signature, self.doc, self.source = variable, signature, doc, source
        call, _, self.result = signature.partition(" -> ")
        match = re.fullmatch(r"(\w+)(?:\.(\w+))?\((.*)\)", call)
        if not match:
            sys.exit(f"{source}: malformed signature: {signature}")
        self.name, self.overload, params = match.groups()
        pieces = [p.strip() for p in re.split(r",(?![^\[(]*[\])])", params)]
        self.params = [Param(p) for p in pieces if p and p != "*"]
        star = pieces.index("*") if "*" in pieces else len(pieces)
        for i, p in enumerate(self.params):
            p.keyword_only = i >= star
        self.read_body(body)

    def read_body(self, body):
        """The parts of the definition behind the doc that documentation shows."""

        def field(name, otherwise):
            match = re.search(rf"^\s*\.{name} = (.*?),?$", body, re.M)
            return match[1] if match else otherwise

        self.scope = field("scope", "Scope::Torch").removeprefix("Scope::")
        self.dtypes = field("dtypes", "kFloats").replace("k", "").lower()
        self.aliases = literal(field("aliases", "")).split()
        self.kind = re.match(r"(\w*)", field("kernel", ""))[1]
        written = self.kind in ("pointwise", "modify", "overwrite")
        self.has_inplace = field("inplace", "") == "true" or written
        has_tensor = any(p.type.startswith("Tensor") for p in self.params)
        self.creates = not has_tensor or self.name.endswith("_like")

    def wrapper(self):
        params = ", ".join(p.cpp() for p in self.params)
        values = ", ".join(f"Value({p.name})" for p in self.params)
        count = self.result.count(",") + 1 if self.result.startswith("(") else 1
        if self.result == "Tensor[]":
            result, convert = "Tensors", "out"
        elif count > 1:
            result = f"std::array<Tensor, {count}>"
            convert = "{" + ", ".join(f"std::move(out[{i}])" for i in range(count)) + "}"
        else:
            result, convert = "Tensor", "std::move(out[0])"
        return (
            f"// {self.doc}\n"
            f"inline {result} {self.name}({params}) {{\n"
            f"  const Value given[] = {{{values}}};\n"
            f"  Tensors out = call(ops::{self.variable}, given);\n"
            f"  return {convert};\n"
            f"}}\n"
        )


def literal(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text or "")).replace('\\"', '"')


def read_ops():
    ops = []
    for path in sorted((ROOT / "tensor/ops").glob("*.cpp")):
        text = path.read_text()
        found = list(DEFINITION.finditer(text))
        if len(found) != len(re.findall(r"^const Op ", text, re.M)):
            sys.exit(f"{path}: an op does not start with `const Op name{{{{ .sig = ..., .doc = ...,`")
        for m in found:
            body = text[m.end() : text.index("\n}};", m.start())]
            ops.append(Op(m[1], literal(m[2]), literal(m[3]), path.stem, body))
    return ops


def ops_header(ops):
    out = [
        "#pragma once",
        "// GENERATED by python/tools/opgen.py from the signatures in tensor/ops/. Do not edit.",
        "#include <array>",
        "#include <optional>",
        "",
        '#include "tensor/op.h"',
        "",
        "namespace gotorch::ops {",
        "",
    ]
    out += [f"extern const Op {op.variable};" for op in ops]
    out += ["", "}  // namespace gotorch::ops", "", "namespace gotorch {", ""]
    out += [op.wrapper() for op in ops]
    out += ["}  // namespace gotorch", "", '#include "tensor/operators.h"', ""]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    ops = read_ops()
    files = {
        ROOT / "tensor/ops.h": ops_header(ops),
        ROOT / "python/gotorch/_C.pyi": docgen.stub(ops),
        ROOT / "docs/ops.md": docgen.ops_page(ops),
    }
    for path, content in files.items():
        if path.exists() and path.read_text() == content:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python/tools/opgen.py")


if __name__ == "__main__":
    main()
