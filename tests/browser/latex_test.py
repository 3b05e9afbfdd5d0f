#!/usr/bin/env python3
"""The LaTeX of tables goes through pdflatex. Usage: latex_test.py LEADSWEEP DATABASE_PROGRAM FOLDER; skipped where there is none."""
import pathlib
import shutil
import subprocess
import sys

import sample

program, folder = sys.argv[1], pathlib.Path(sys.argv[3])
if shutil.which("pdflatex") is None or subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
    print("SKIPPED: there is no pdflatex with booktabs here; install texlive-latex-recommended")
    sys.exit(0)
database = sample.database(sys.argv[2], folder)
parts = []
for arguments in (["table", "--rows", "loss", "--where", "model.depth=6"], ["table", "--baseline", "loss=bce", "--where", "model.depth=6"],
                  ["table", "--per-class", "--where", "model.depth=6", "--where", "sampling_hz=100"], ["best"],
                  ["table", "--sweep", "<script>window.injected=1</script>", "--provenance"]):
    parts.append(subprocess.run([program, *arguments, "--db", database, "--format", "latex"], check=True, capture_output=True, text=True).stdout)
(folder / "tables.tex").write_text("\\documentclass{article}\n\\usepackage[landscape,margin=1cm]{geometry}\n\\usepackage{booktabs,graphicx}\n"
                                   "\\usepackage[T1]{fontenc}\n\\begin{document}\n" + "\n\\clearpage\n".join(parts) + "\\end{document}\n")
found = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"], cwd=folder, capture_output=True, text=True)
if found.returncode:
    print(found.stdout[-3000:])
print("pdflatex:", "failed" if found.returncode else "done", (folder / "tables.pdf"))
sys.exit(found.returncode)
