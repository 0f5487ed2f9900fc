"""The parameters of a signature, as tensor/signature.h defines them, and their C++ types."""

import re

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
    "int[]|str": "const IntsOrText&",
    "str": "std::string_view",
    "dtype": "Dtype",
    "Generator?": "Generator*",
}


class Param:
    def __init__(self, text):
        declared, _, default = (part.strip() for part in text.partition("="))
        self.type, self.name = declared.rsplit(" ", 1)
        self.default = default or None
        base = re.sub(r"int\??\[\d*\]", "int[]", self.type)
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
        if self.cpp_type in ("IntList", "const IntsOrText&") and default[0] != "{":
            default = "{" + default + "}"
        return f"{self.cpp_type} {self.name} = {default}"


def parameters(text):
    """Of the text between the parentheses."""
    pieces = [p.strip() for p in re.split(r",(?![^\[(]*[\])])", text)]
    params = [Param(p) for p in pieces if p and p != "*"]
    star = pieces.index("*") if "*" in pieces else len(pieces)
    for i, p in enumerate(params):
        p.keyword_only = i >= star
    return params


def literal(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text or "")).replace('\\"', '"')
