# SPDX-License-Identifier: Apache-2.0
"""Translates the PTX that nvcc makes of a .cu file into C++, one statement an instruction, so that CUDA kernels whose
threads do not talk to each other can be run and tested on a machine without a GPU:

    ptx_to_cpp.py kernels.ptx kernels.cpp

Every kernel becomes extern "C" void ptx_<name>(unsigned char* arguments); `ptx_thread` says which thread it plays.
Only what our integer kernels use is known: anything else (shared memory, barriers, floating point) ends with an error
that names the instruction. Semantics: NVIDIA's "PTX ISA", integer and extended-precision arithmetic.
"""
import re
import sys

HEADER = """#include <cstdint>
#include <cstring>
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
typedef int8_t s8; typedef int16_t s16; typedef int32_t s32; typedef int64_t s64;
extern "C" { thread_local struct { u32 tid_x, ctaid_x, ntid_x; } ptx_thread; }
"""
TYPES = {"u8": "u8", "b8": "u8", "s8": "s8", "u16": "u16", "b16": "u16", "s16": "s16", "u32": "u32", "b32": "u32",
         "s32": "s32", "u64": "u64", "b64": "u64", "s64": "s64", "pred": "bool"}
BITS = {"u16": 16, "s16": 16, "u32": 32, "s32": 32, "u64": 64, "s64": 64}
WIDER = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}
COMPARE = {"lt": "<", "gt": ">", "le": "<=", "ge": ">=", "lo": "<", "hi": ">", "ls": "<=", "hs": ">=", "eq": "==",
           "ne": "!="}


def fail(what):
    sys.exit(f"ptx_to_cpp.py: {what}: not known")


def operand(text):
    text = text.strip()
    if text.startswith("!"):
        return "!" + operand(text[1:])
    if m := re.fullmatch(r"%(r|rd|rs|p)(\d+)", text):
        return f"{m[1]}_[{m[2]}]"
    if text in ("%tid.x", "%ctaid.x", "%ntid.x"):
        return "ptx_thread." + text[1:].replace(".", "_")
    if m := re.fullmatch(r"(-?(?:0[xX][0-9a-fA-F]+|\d+))U?", text):
        return f"({m[1]}{'ll' if text.startswith('-') else 'ull'})"
    return text.lstrip("%")  # a name


def split(text):
    """At the commas outside of brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "{([") - (c in "})]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def address(text):
    m = re.fullmatch(r"\[(.+?)(?:\+(-?\d+))?\]", text)
    return f"((u8*)({operand(m[1])}) + ({m[2] or 0}))"


def memory(parts, args, t):
    load = parts[0] == "ld"
    registers, place = (args[0], args[1]) if load else (args[1], args[0])
    out = ""
    for k, r in enumerate(split(registers[1:-1]) if registers[0] == "{" else [registers]):
        at = f"{address(place)} + {k} * sizeof(t)"
        out += (f"{{ {t} t; memcpy(&t, {at}, sizeof t); {operand(r)} = t; }}" if load else
                f"{{ {t} t = ({t}){operand(r)}; memcpy({at}, &t, sizeof t); }}")
    return "{" + out + "}"


def carried(name, parts, args):
    """Sums, differences and multiply-adds that set or take the carry."""
    if parts[-1] != "u32":
        fail(".".join(parts))
    a = [f"(u64)(u32){operand(x)}" for x in args]
    take = " {} (u64)cc" if name.endswith("c") else ""
    if name.startswith("mad"):
        product = f"{a[1]} * {a[2]}"
        value = (f"(u64)(u32)({product})" if "lo" in parts else f"(({product}) >> 32)") + f" + {a[3]}" + take.format("+")
    else:
        sign = "+" if name.startswith("add") else "-"
        value = f"{a[1]} {sign} {a[2]}" + take.format(sign)
    return f"{{ const u64 t = {value}; {'cc = t >> 32 & 1; ' if 'cc' in parts else ''}{operand(args[0])} = (u32)t; }}"


def plain(text):
    """An instruction without its guard."""
    opcode, _, rest = text.partition(" ")
    args, parts = split(rest), opcode.split(".")
    name, t = parts[0], TYPES.get(parts[-1])
    a = [operand(x) for x in args]
    typed = [f"({t}){x}" for x in a]
    if name == "ret":
        return "return;"
    if name == "bra":
        return f"goto {args[0].lstrip('$')};"
    if name == "call":
        m = re.fullmatch(r"(?:\((.*?)\) *, *)?(\w+) *(?:, *\((.*)\))?", rest)
        return f"{m[2]}({', '.join(split((m[1] or '') + ',' + (m[3] or '')))});"
    if name in ("ld", "st"):
        return memory(parts, args, t)
    if name in ("addc", "subc", "madc") or (name in ("add", "sub", "mad") and "cc" in parts):
        return carried(name, parts, args)
    if name == "mov" and args[1].startswith("{"):
        low, high = split(args[1][1:-1])
        return f"{a[0]} = (u64)(u32){operand(low)} | (u64)(u32){operand(high)} << 32;"
    if name == "mov" and args[0].startswith("{"):
        low, high = split(args[0][1:-1])
        return f"{{ const u64 t = {a[1]}; {operand(low)} = (u32)t; {operand(high)} = (u32)(t >> 32); }}"
    if name == "mov":
        return f"{a[0]} = {typed[1]};"
    if name == "cvta":
        return f"{a[0]} = {a[1]};"
    if name == "cvt":
        return f"{a[0]} = ({TYPES[parts[1]]})({TYPES[parts[2]]}){a[1]};"
    if name in ("mul", "mad") and parts[1] == "wide":
        wide = WIDER[TYPES[parts[2]]]
        return f"{a[0]} = ({wide}){typed[1]} * ({wide}){typed[2]}{f' + {a[3]}' if name == 'mad' else ''};"
    if name == "mul" and parts[1] == "hi" and t == "u32":
        return f"{a[0]} = (u64){typed[1]} * (u64){typed[2]} >> 32;"
    if name in ("mul", "mad") and parts[1] == "lo":
        return f"{a[0]} = (u64){a[1]} * (u64){a[2]}{f' + (u64){a[3]}' if name == 'mad' else ''};"
    if name in ("add", "sub"):
        return f"{a[0]} = (u64){a[1]} {'+' if name == 'add' else '-'} (u64){a[2]};"
    if name in ("and", "or", "xor"):
        return f"{a[0]} = {typed[1]} {dict(zip(('and', 'or', 'xor'), '&|^'))[name]} {typed[2]};"
    if name == "not":
        return f"{a[0]} = {'!' if t == 'bool' else '~'}{typed[1]};"
    if name == "neg":
        return f"{a[0]} = -(u64){a[1]};"
    if name in ("shl", "shr"):
        gone = f"({typed[1]} < 0 ? -1 : 0)" if name == "shr" and t[0] == "s" else "0"
        shifted = f"{typed[1]} {'<<' if name == 'shl' else '>>'} (u32){a[2]}"
        return f"{a[0]} = (u32){a[2]} >= {BITS[t]} ? {gone} : {shifted};"
    if name == "shf" and parts[2:] == ["wrap", "b32"]:
        both = f"((u64)(u32){a[2]} << 32 | (u32){a[1]})"
        by = f"((u32){a[3]} & 31)"
        return f"{a[0]} = (u32)({f'({both} << {by}) >> 32' if parts[1] == 'l' else f'{both} >> {by}'});"
    if name == "selp":
        return f"{a[0]} = {a[3]} ? {a[1]} : {a[2]};"
    if name == "setp" and len(parts) == 3:
        return f"{a[0]} = {typed[1]} {COMPARE[parts[1]]} {typed[2]};"
    if name == "bfi" and t == "u64":
        mask = f"((1ull << {a[4]}) - 1) << {a[3]}"
        return f"{{ const u64 m = {mask}; {a[0]} = ((u64){a[2]} & ~m) | ((u64){a[1]} << {a[3]} & m); }}"
    return fail(text)


def instruction(text):
    if m := re.match(r"@(!?%p\d+) (.*)", text):
        return f"if ({operand(m[1])}) {plain(m[2])}"
    return plain(text)


def declaration(text):
    """Registers, local memory and the parameters of a call."""
    last = text.split()[-1]
    if not text.startswith(".reg"):
        name, size = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", last).groups()
        return f"alignas(16) u8 {name}[{size or 8}];"
    if m := re.fullmatch(r"%(\w+)<(\d+)>", last):
        return f"{TYPES[text.split()[1][1:]]} {m[1]}_[{m[2]}];"
    return f"{TYPES[text.split()[1][1:]]} {last.lstrip('%')};"


def kernel_name(mangled):
    """`points` of _ZN9sparkmill...6pointsENS1_4ArgsE: the last of the nested names, each after its length. They must be
    read from the front: the name of an unnamed namespace ends with digits that differ from folder to folder."""
    rest, name = mangled.removeprefix("_ZN"), ""
    while rest != mangled and (m := re.match(r"\d+", rest)):
        end = m.end() + int(m[0])
        name, rest = rest[m.end():end], rest[end:]
    return "ptx_" + name if name and rest.startswith("E") else fail("the name " + mangled)


def function(head):
    m = re.match(r"\s*(?:\.visible |\.weak )?\.(entry|func) *(?:\((.*?)\) *)?([\w$]+) *\((.*?)\)", " ".join(head.split()))
    names = [re.sub(r"\[.*", "", p.split()[-1]) for p in split((m[2] or "") + "," + m[4])]
    name = 'extern "C" void ' + kernel_name(m[3]) if m[1] == "entry" else "static void " + m[3]
    return f"{name}({', '.join('u8* ' + n for n in names)}) {{ u32 cc = 0; (void)cc;"


def body(text, at, out):
    """From the opening brace on; the answer is the place after the closing one. Braces without statements are scopes,
    braces within an instruction belong to it."""
    depth, current = 0, ""
    while True:
        c = text[at]
        at += 1
        if c == "{" and current.strip():
            end = text.index("}", at)
            current += c + text[at:end + 1]
            at = end + 1
        elif c == "{":
            depth += 1
            out.append("{")
        elif c == "}":
            depth -= 1
            out.append("}")
            if depth == 0:
                return at
        elif c == ":" and re.fullmatch(r"\s*\$?L\w*", current):
            out.append(current.strip().lstrip("$") + ":;")
            current = ""
        elif c == ";":
            statement = " ".join(current.split())
            current = ""
            if statement.startswith((".reg", ".local", ".param")):
                out.append(declaration(statement))
            elif statement and not statement.startswith(".pragma"):
                out.append(instruction(statement))
        else:
            current += c


def main():
    source, target = sys.argv[1:]
    text = re.sub(r"//.*", "", open(source).read())
    at = text.index(".address_size 64") + len(".address_size 64")
    out = [HEADER]
    while text[at:].strip():
        brace, semicolon = text.find("{", at), text.find(";", at)
        if 0 <= semicolon < brace:  # a function declared before it is defined
            out.append(function(text[at:semicolon]).split("{")[0] + ";")
            at = semicolon + 1
            continue
        out.append(function(text[at:brace]))
        at = body(text, brace, out)
        out.append("}")
    with open(target, "w") as f:
        f.write("\n".join(out) + "\n")


main()
