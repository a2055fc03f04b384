#!/usr/bin/env python3
"""Writes stub libraries (.tbd) for Apple's frameworks, enough to link against.

usage: stubs.py SDK TARGET LIBSYSTEM   (in the workspace; CARGO names the cargo)

What a framework exports is taken from what the *dependency* crates declare. A
symbol that the project itself declares by hand is not taken: it must be in
LIBSYSTEM, which is Apple's own list, or in a binding crate, or the program
does not link.
"""
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict

sdk, target, libsystem = sys.argv[1:]

# Frameworks of which the version is not A, libraries with a name of their own.
VERSIONS = {"AppKit": "C", "Foundation": "C"}
INSTALL_NAMES = {"objc": "libobjc.A.dylib", "iconv": "libiconv.2.dylib"}
# Part of libSystem, with a name of their own for old programs.
SYSTEM = ("System", "c", "m", "pthread", "dl")
TARGETS = "[ x86_64-macos, arm64-macos ]"
# What the standard library links against and no crate declares, with its list.
EXTRA = {("lib", "iconv"): {"_iconv"}}

LINK = re.compile(r"#\[(?:cfg_attr\([^\]]*?,\s*)?link\(([^)]*)\)")
EXTERN = re.compile(r'extern\s+"(?:C|C-unwind|system)"\s*\{|extern\s*\{')
ITEM = re.compile(
    r'(?:#\[link_name\s*=\s*"([^"]+)"\]\s*)?(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?'
    r"(?:unsafe\s+|safe\s+)?(?:fn\s+(\w+)\s*[(<]|static\s+(?:mut\s+)?(\w+)\s*:)"
)


def packages():
    """The dependencies on this target, without the project's own packages."""
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--format-version=1",
               "--all-features", "--filter-platform", target]
    data = json.loads(subprocess.check_output(command))
    nodes = {node["id"] for node in data["resolve"]["nodes"]}
    members = set(data["workspace_members"])
    return [one for one in data["packages"] if one["id"] in nodes - members]


def block(source, start):
    """The text from a brace to the one that closes it."""
    depth = 0
    for at in range(start, len(source)):
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        if depth == 0:
            return source[start:at]
    return source[start:]


def sources(package):
    """Each file of a crate: the libraries that it names, and its text."""
    root = os.path.join(os.path.dirname(package["manifest_path"]), "src")
    for folder, _, names in os.walk(root):
        for name in names:
            if not name.endswith(".rs"):
                continue
            with open(os.path.join(folder, name), errors="replace") as file:
                text = re.sub(r"//[^\n]*", "", file.read())
            text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
            links = []
            for found in LINK.finditer(text):
                name = re.search(r'name\s*=\s*"([^"]+)"', found[1])
                kind = re.search(r'kind\s*=\s*"([^"]+)"', found[1])
                if name:
                    framework = kind and kind[1] == "framework"
                    links.append(("framework" if framework else "lib", name[1]))
            yield links, text


symbols = defaultdict(set, {key: set(value) for key, value in EXTRA.items()})
for package in packages():
    files = list(sources(package))
    everywhere = dict.fromkeys(link for links, _ in files for link in links)
    named = [link for link in everywhere if link[0] == "framework" or link[1] == "objc"]
    for link in named:
        symbols[link]
    for links, text in files if named else []:
        owners = [link for link in dict.fromkeys(links) if link in named] or named
        for found in EXTERN.finditer(text):
            body = re.sub(r"=>.*", "", block(text, found.end() - 1))
            for item in ITEM.finditer(body):
                name = (item[1] or item[2] or item[3]).removeprefix("\x01")
                for owner in owners:
                    symbols[owner].add("_" + name)
    # objc2's declarations stand in a macro.
    if package["name"] in ("objc2", "objc2-exception-helper"):
        for _, text in files:
            runtime = r"\bfn\s+((?:objc|object|class|method|protocol|property|sel|imp|ivar|_?objc)\w*)\s*\("
            for name in re.findall(runtime, text) + re.findall(r"static\s+(_\w+|OBJC_\w+)\s*:", text):
                symbols[("lib", "objc")].add("_" + name)

shutil.rmtree(sdk, ignore_errors=True)
os.makedirs(f"{sdk}/usr/lib")
shutil.copy(libsystem, f"{sdk}/usr/lib/libSystem.tbd")
for name in SYSTEM[1:]:
    os.symlink("libSystem.tbd", f"{sdk}/usr/lib/lib{name}.tbd")
with open(f"{sdk}/SDKSettings.json", "w") as file:
    names = {"CanonicalName": "macosx15.5", "Version": "15.5", "MinimalDisplayName": "15.5",
             "MaximumDeploymentTarget": "15.5.99", "DefaultDeploymentTarget": "15.5"}
    json.dump(names, file)
for (kind, name), exported in sorted(symbols.items()):
    if kind == "framework":
        folder = f"System/Library/Frameworks/{name}.framework"
        path = f"{folder}/{name}.tbd"
        install = f"/{folder}/Versions/{VERSIONS.get(name, 'A')}/{name}"
    elif name in SYSTEM:
        continue
    else:
        path, install = f"usr/lib/lib{name}.tbd", "/usr/lib/" + INSTALL_NAMES.get(name, f"lib{name}.dylib")
    os.makedirs(os.path.dirname(f"{sdk}/{path}"), exist_ok=True)
    with open(f"{sdk}/{path}", "w") as file:
        file.write(f"--- !tapi-tbd\ntbd-version: 4\ntargets: {TARGETS}\ninstall-name: '{install}'\n")
        if exported:
            listed = ", ".join(sorted(exported))
            file.write(f"exports:\n  - targets: {TARGETS}\n    symbols: [ {listed} ]\n")
        file.write("...\n")
    print(f"{len(exported):6} {kind:9} {name}")
