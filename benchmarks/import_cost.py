"""What `import embedbridge.core` and listing the providers cost, in fresh processes."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from _interleaved import print_machine

ROUTES = {
    "bare Python": "pass",
    "import embedbridge.core": "import embedbridge.core",
    "… and list_providers()": "from embedbridge.core import list_providers; list_providers()",
    "… and load_embedder imported": "from embedbridge.core import load_embedder",
}
FORBIDDEN = ("torch", "transformers", "openai", "llama_index", "langchain_core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in ROUTES}
    for _ in range(arguments.rounds + 1):
        for name, code in ROUTES.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds[name].append(time.perf_counter() - begun)
    print_machine()
    print("| route | median ms above bare Python (range of the whole process) |")
    print("|---|---|")
    bare = statistics.median(seconds["bare Python"][1:])
    for name, runs in seconds.items():
        above = (statistics.median(runs[1:]) - bare) * 1000
        print(f"| {name} | {above:.0f} ({min(runs[1:]) * 1000:.0f}..{max(runs[1:]) * 1000:.0f}) |")
    check = f"import sys; {ROUTES['… and list_providers()']}; print(sorted(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", check], check=True, capture_output=True, text=True
    )
    loaded = [name for name in FORBIDDEN if f"'{name}'" in answer.stdout]
    print(f"\nOf {', '.join(FORBIDDEN)} are loaded: {', '.join(loaded) or 'none'}")


if __name__ == "__main__":
    main()
