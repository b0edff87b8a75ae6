"""Writes the bill of materials of the service as CycloneDX 1.6: what `make sbom` runs.

Everything comes from what is pinned: packages and hashes from ``requirements.lock``, front-end files from
``package-lock.json``, model packages from their manifests. Licences are read from the installed packages. The same
checkout gives the same file: it holds no date and its serial number is made of its content.
"""

import argparse
import base64
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\")
_HASH = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")
_LICENCE_CLASSIFIER = "License :: OSI Approved :: "


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file.

    Args:
        arguments: Command line without the program's name; the process's own by default.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(description="Write the bill of materials as CycloneDX JSON.")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "var" / "sbom.cdx.json")
    out: Path = parser.parse_args(arguments).out
    out.parent.mkdir(parents=True, exist_ok=True)
    content = bill_of_materials(ROOT)
    out.write_text(f"{json.dumps(content, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    sys.stdout.write(f"{out} lists {len(content['components'])} components.\n")
    return 0


def bill_of_materials(root: Path) -> dict[str, Any]:
    """Everything the service consists of.

    Args:
        root: Folder of the project.

    Returns:
        A CycloneDX 1.6 document.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    components = [*python_packages(root), *front_end_packages(root), *model_packages(root)]
    content = json.dumps(components, sort_keys=True).encode()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=sha256(content).digest()[:16], version=5)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
    }


def python_packages(root: Path) -> Iterator[dict[str, Any]]:
    """The packages of ``requirements.lock``, each with the hashes of all files that would be accepted."""
    for block in re.split(r"\n(?=\S)", (root / "requirements.lock").read_text(encoding="utf-8")):
        pinned = _PINNED.match(block)
        if pinned is None:
            raise ValueError(f"requirements.lock holds something that is no pinned package: {block[:60]!r}")
        name, version = pinned["name"].lower(), pinned["version"]
        address = f"pkg:pypi/{name}@{version}"
        yield {
            "type": "library",
            "bom-ref": address,
            "name": name,
            "version": version,
            "purl": address,
            "licenses": _licences(name),
            "externalReferences": [
                {"type": "distribution", "url": address, "hashes": [{"alg": "SHA-256", "content": digest}]}
                for digest in _HASH.findall(block)
            ],
            "properties": [{"name": "klarbescheid:only-where", "value": pinned["marker"]}] if pinned["marker"] else [],
        }


def front_end_packages(root: Path) -> Iterator[dict[str, Any]]:
    """The packages of ``package-lock.json``."""
    listed = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for path, about in sorted(listed.items()):
        if not path:
            continue
        name = path.removeprefix("node_modules/")
        algorithm, _, digest = about["integrity"].partition("-")
        address = f"pkg:npm/{name.replace('@', '%40')}@{about['version']}"
        yield {
            "type": "library",
            "bom-ref": address,
            "name": name,
            "version": about["version"],
            "purl": address,
            "licenses": [{"license": {"name": about["license"]}}],
            "hashes": [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}],
        }


def model_packages(root: Path) -> Iterator[dict[str, Any]]:
    """The bundled models; their identity is the SHA-256 of their manifest, which the log names too."""
    for manifest in sorted((root / "models" / "packages").glob("*/MANIFEST.json")):
        digest = sha256(manifest.read_bytes()).hexdigest()
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model:{manifest.parent.name}",
            "name": manifest.parent.name,
            "version": digest[:12],
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }


def _licences(name: str) -> list[dict[str, Any]]:
    """What the installed package says of itself; empty where it is not installed, as on another platform."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return []
    for expression in about.get_all("License-Expression", []):
        return [{"expression": expression}]
    stated = [
        line.removeprefix(_LICENCE_CLASSIFIER)
        for line in about.get_all("Classifier", [])
        if line.startswith(_LICENCE_CLASSIFIER)
    ] or [text.strip().split("\n")[0] for text in about.get_all("License", [])]
    return [{"license": {"name": one}} for one in stated if one]


if __name__ == "__main__":
    sys.exit(main())
