"""The style of the HTML report: light or dark by the reader's setting, on paper and on a phone."""

from __future__ import annotations

import numpy as np

from firekeras.report.heatmap import colours

# Blue and orange of Okabe and Ito's palette, which colour-blind readers can distinguish; the marks differ in shape too.
STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1b1b1a; --quiet: #5b5a55; --rule: #dddbd4; --faint: #f4f3ef;
  --good: #0072b2; --bad: #b54708; --gone: #cfccc2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #191918; --ink: #f0efea; --quiet: #b3b1a8; --rule: #3a3936; --faint: #232321;
    --good: #56b4e9; --bad: #f2914f; --gone: #55534d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
a { color: var(--good); }
.quiet, figcaption, footer { color: var(--quiet); font-size: .9rem; }
.state { font-weight: 600; }
.error, .undone { color: var(--bad); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 1.5rem; }
figure { margin: 0; }
figcaption span { white-space: nowrap; margin-right: .9em; }
.chart { display: block; width: 100%; height: auto; font-size: 12px; }
.chart text { fill: var(--quiet); }
.chart .x, .chart .title { text-anchor: middle; }
.chart .y { text-anchor: end; }
.key { vertical-align: -1px; margin-right: .3em; }
svg .grid { stroke: var(--rule); }
svg .stem { stroke: var(--quiet); opacity: .5; }
svg .baseline { stroke: var(--ink); stroke-width: 1.5; }
svg .limit { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .tuned { fill: var(--good); stroke: var(--good); stroke-width: 2; }
svg polyline.tuned { fill: none; }
svg .cut { fill: var(--page); stroke: var(--quiet); stroke-width: 1.5; }
svg .undone { fill: none; stroke: var(--bad); stroke-width: 2.5; }
.wide { overflow: auto; max-height: 34rem; border-block: 1px solid var(--rule); }
.wide:focus-visible { outline: 2px solid var(--good); }
table { border-collapse: collapse; font-size: .9rem; }
.wide table { width: 100%; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; }
th, td { padding: .2rem .5rem .2rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
thead th { position: sticky; top: 0; background: var(--page); border-bottom: 1px solid var(--rule); 
  vertical-align: bottom; overflow-wrap: normal; }
tbody th { font-weight: normal; }
tbody th.text { min-width: 6rem; max-width: 18rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; }
.picture { width: 45%; min-width: 6rem; vertical-align: middle; padding-right: 0; }
.bar, .strip { display: block; width: 100%; height: 1.1em; }
.bar, .strip, .scale { shape-rendering: crispEdges; }
.fire td, .fire th { padding-block: .1rem; }
.bar .before { fill: var(--gone); }
.bar .after { fill: var(--good); }
.scale { display: inline-block; width: 8rem; height: .8em; vertical-align: -1px; margin: 0 .4em; }
.unscored { fill: var(--faint); }
details { margin-top: 2.25rem; }
summary { cursor: pointer; font-weight: 600; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--rule); padding-top: .5rem; }
@media print { .wide { max-height: none; overflow: visible; } }
"""


def fire_style(levels: int) -> str:
    """The colours of FIRE in `levels` equal steps from 0 to 1, as classes `f0`, `f1`, ..."""
    shades = colours((np.arange(levels) + 0.5) / levels)
    return "".join(f".f{k} {{ fill: #{bytes(shade).hex()}; }}\n" for k, shade in enumerate(shades))
