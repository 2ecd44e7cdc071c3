"""SMAA, a slider's worth and a table's worth, beside pymcdm, pysensmcda and scikit-criteria on the same problem.

python -m bench robustness
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from pathlib import Path

import numpy as np

from bench.measuring import CACHE, progress
from bench.scoring import median_ms
from bench.tables import Table
from mailrubric.scoring import additive
from mailrubric.scoring.robustness import Uncertain, analyse, draw_weights, uncertain

DRAWS, CRITERIA, GROUPS = 10_000, 57, 9
PEERS = ("pymcdm", "pysensmcda", "scikit-criteria")

_THEIRS = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
name, path, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
given = np.load(path)
scores, weights = given["scores"], given["weights"][:most]
count = scores.shape[0]
same = lambda column, cost=False: column
table = np.zeros((count, count))
began = time.perf_counter()
if name == "pymcdm":
    from pymcdm.methods import WSM
    method, types = WSM(normalization_function=same), np.ones(scores.shape[1])
    began = time.perf_counter()
    for row in weights:
        order = np.argsort(-method(scores, row, types), kind="stable")
        table[order, np.arange(count)] += 1
elif name == "pysensmcda":
    from pymcdm.methods import WSM
    from pysensmcda.smaa import rank_acceptability, simulate
    method = WSM(normalization_function=same)
    began = time.perf_counter()
    result = simulate(method, scores, np.ones(scores.shape[1]), weights=weights, store="accumulate")
    table = rank_acceptability(result) * len(weights)
else:
    import skcriteria as skc
    from skcriteria.agg.simple import WeightedSumModel
    matrix = skc.mkdm(scores, [max] * scores.shape[1], weights=weights[0])
    method = WeightedSumModel()
    began = time.perf_counter()
    for row in weights:
        result = method.evaluate(matrix.replace(weights=row))
        order = np.argsort(-np.asarray(result.e_.score), kind="stable")
        table[order, np.arange(count)] += 1
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "draws": len(weights), "table": (table / len(weights)).tolist()}))
"""


def problem(vendors: int, *, unknown: float = 0.0, seed: int = 1) -> tuple[Uncertain, np.ndarray]:
    """Cells of so many vendors, a share of them unknown, and weights drawn freely around nothing."""
    random = np.random.default_rng(seed)
    scores = random.uniform(1, 100, (vendors, CRITERIA))
    hidden = random.random(scores.shape) < unknown
    cells = uncertain(
        np.where(hidden, np.nan, scores),
        np.where(hidden, 0.0, scores),
        np.where(hidden, 100.0, scores),
        np.full_like(scores, 45.0),
        np.ones_like(hidden),
    )
    shares = random.dirichlet(np.ones(CRITERIA))
    return cells, draw_weights(shares, np.arange(CRITERIA) % GROUPS, kind="any", draws=DRAWS)


def table(repeats: int) -> Table:
    """The section of the document."""
    result = Table(
        ("what", "time", "÷ ours", "÷ bare matrix product"),
        f"{DRAWS:,} draws of the weights of {CRITERIA} criteria, every cell known; the rank-acceptability table. The "
        "peers compute weighted sums over the same weights with their own defaults (pymcdm and scikit-criteria in a "
        "loop, as their users write it, pysensmcda by its own simulation), fewer draws, scaled. Their tables are "
        "compared with ours first.",
    )
    for vendors in (20, 1000):
        cells, weights = problem(vendors)
        ours = median_ms(lambda: analyse(cells, weights, central=False), repeats)  # noqa: B023
        bare = median_ms(lambda: weights @ cells.mean.T, repeats)  # noqa: B023
        size = f"{vendors} × {CRITERIA}"
        result.rows.append((f"{size}: ours", f"{ours:.1f} ms", "1", f"{ours / bare:.1f}"))
        result.rows.append((f"{size}: bare matrix product, the limit", f"{bare:.2f} ms", "", "1"))
        for name in PEERS:
            progress(f"robustness: {name}, {size}")
            result.rows.append(_peer(name, size, cells, weights, ours, bare, result.notes))
        open_cells, drawn = problem(vendors, unknown=0.2)
        whole = median_ms(lambda: analyse(open_cells, drawn, central=False), repeats)  # noqa: B023
        result.rows.append(
            (f"{size}: ours, one cell in five unknown and drawn too", f"{whole:.1f} ms", "", f"{whole / bare:.1f}")
        )
    cells, _ = problem(20, unknown=0.2)
    shares = np.full(CRITERIA, 1 / CRITERIA)

    def slider() -> None:
        analyse(cells, draw_weights(shares, np.arange(CRITERIA) % GROUPS, draws=DRAWS))

    result.rows.append(
        (
            f"20 × {CRITERIA}: a slider's move (draw around, table, central weights)",
            f"{median_ms(slider, repeats):.1f} ms",
            "",
            "",
        )
    )
    large = np.random.default_rng(2).uniform(0, 100, (10_000, 200))
    everywhere = np.ones(large.shape, dtype=np.bool_)
    all_shares = np.full(200, 1 / 200)
    scored = median_ms(lambda: additive.totals(large, large, large, everywhere, all_shares), repeats)
    result.rows.append(("10,000 × 200 scored, without draws", f"{scored:.0f} ms", "", ""))
    return result


def _peer(
    name: str, size: str, cells: Uncertain, weights: np.ndarray, ours: float, bare: float, notes: list[str]
) -> tuple[str, str, str, str]:
    vendors = cells.mode.shape[0]
    most = DRAWS // 10 if vendors <= 20 else DRAWS // 100
    try:
        python = _python()
    except (subprocess.CalledProcessError, OSError) as error:
        notes.append(f"{name} could not be installed ({error})")
        return f"{size}: {name}", "absent", "", ""
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, scores=cells.mode, weights=weights)
        file.flush()
        done = subprocess.run(
            [python, "-c", _THEIRS, name, file.name, str(most)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        notes.append(f"{name}: {done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else 'failed'}")
        return f"{size}: {name}", "not compared", "", ""
    found = json.loads(done.stdout)
    same = analyse(cells, weights[:most], central=False)
    worst = float(np.abs(np.array(found["table"]) - same.rank).max())
    if worst > 1.5 / most:
        notes.append(f"{name}, {size}: its table differs from ours by up to {worst:.4f}")
    else:
        notes.append(f"{name}, {size}: the same table as ours over {most} draws")
    milliseconds = 1000 * found["seconds"] * DRAWS / found["draws"]
    return (
        f"{size}: {name}, {found['draws']} draws, scaled",
        f"{milliseconds / 1000:.2f} s",
        f"{milliseconds / ours:,.0f}",
        f"{milliseconds / bare:,.0f}",
    )


def _python() -> Path:
    """An environment with the peers, made at the first use."""
    folder = CACHE / "mcda"
    python = folder / "bin" / "python"
    if not python.exists():
        progress(f"installing {', '.join(PEERS)} into {folder}")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS], check=True)
    return python
