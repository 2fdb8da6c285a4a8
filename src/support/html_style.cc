#include "support/html_style.h"

namespace godwit::report {

// Colours are named once for light and once for dark. Steps share a hue with their group: greens are the transport's
// own, blues the cipher's, oranges the kernel's, so that "whose time is it?" is answered at a glance. All hues stay
// apart for the common kinds of colour blindness, and no meaning rests on colour alone.
std::string_view html_style() {
  return R"css(
:root {
  --paper: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --soft: #5b6470; --rule: #d9dde3; --grid: #e4e7ec;
  --good: #12734a; --bad: #b3261e; --warn: #8a5a00; --accent: #1f5fbf;
  --warn-paper: #fff6e0; --warn-rule: #e8c777;
  --step-encode: #2f8f5b; --step-bookkeeping: #57a773; --step-route: #7fbf95; --step-decode: #3c9d8f;
  --step-reassemble: #66b8ab; --step-acknowledge: #1f6f54; --step-other: #9aa3ad;
  --step-seal: #2f63b8; --step-open: #5b8bd6; --step-send_call: #d9742b; --step-receive_call: #e89a55;
  --step-digest: #8a63b8; --step-application: #b58fd6; --step-idle: #c9ced6;
  --line-0: #1f5fbf; --line-1: #d9742b; --line-2: #2f8f5b; --line-3: #8a63b8; --line-4: #b3261e; --line-5: #6b7280;
  --h0: #f3f6fb; --h1: #e1eaf7; --h2: #cddcf1; --h3: #b5ccea; --h4: #98b8e0; --h5: #7aa2d4; --h6: #5c8bc6;
  --h7: #4175b4;
  --h8: #2b5f9f; --h9: #1a4a86; --heat-dark: #10233f; --heat-light: #ffffff;
  --on-dark: #ffffff; --on-light: #10233f; --on-strong: var(--on-dark);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1d2127; --ink: #e6e9ed; --soft: #a0a9b4; --rule: #343b44; --grid: #2a3038;
    --good: #5fd39a; --bad: #ff8a80; --warn: #f0c05a; --accent: #7fb0ff;
    --warn-paper: #2b2413; --warn-rule: #6d5a22;
    --step-encode: #3f9f6b; --step-bookkeeping: #5fae7b; --step-route: #86c29b; --step-decode: #43a093;
    --step-reassemble: #6bb9ad; --step-acknowledge: #2c8467; --step-other: #7d8793;
    --step-seal: #4b7fd1; --step-open: #77a2e6; --step-send_call: #d97a35; --step-receive_call: #e6a264;
    --step-digest: #9a78c6; --step-application: #bd9cdc; --step-idle: #4a525d;
    --line-0: #7fb0ff; --line-1: #f0985a; --line-2: #6fd19b; --line-3: #c3a3ec; --line-4: #ff8a80; --line-5: #a0a9b4;
    --h0: #1a2230; --h1: #1d2a40; --h2: #203450; --h3: #254061; --h4: #2b4e76; --h5: #345f8e; --h6: #4175a8;
  --h7: #5a8fc2;
    --h8: #7fadda; --h9: #aecdf0; --heat-dark: #0d1622; --heat-light: #e6e9ed;
    --on-strong: var(--on-light);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; padding: 24px 20px 48px; max-width: 980px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 14px; padding-top: 18px; border-top: 2px solid var(--ink); }
h3 { font-size: 1.02rem; margin: 26px 0 8px; }
section { margin-top: 44px; scroll-margin-top: 12px; }
.lead { color: var(--soft); margin: 0 0 18px; }
nav { display: flex; flex-wrap: wrap; gap: 6px 16px; margin: 20px 0 0; font-size: 0.92rem; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
.tiles { margin-top: 14px; display: grid; grid-template-columns: repeat(auto-fit, minmax(142px, 1fr)); gap: 10px; }
.tile { background: var(--panel); border-radius: 8px; padding: 12px 14px; }
.tile-value { white-space: nowrap; font-size: 1.18rem; font-weight: 650; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.tile-label { color: var(--soft); font-size: 0.84rem; line-height: 1.35; margin-top: 3px; }
.warning { background: var(--warn-paper); border: 1px solid var(--warn-rule); border-radius: 8px;
  padding: 10px 14px; margin: 0 0 16px;
  font-size: 0.93rem; }
.warning ul { margin: 4px 0 0; padding-left: 20px; }
.note { color: var(--soft); font-size: 0.9rem; margin: 6px 0; }
.note b { color: var(--ink); }
.axis-title { color: var(--soft); font-size: 0.84rem; margin: 2px 0 6px; text-align: center; }
.good { color: var(--good); fill: var(--good); }
.bad, .note.bad { color: var(--bad); fill: var(--bad); }
.warn { color: var(--warn); }
.faint { color: var(--soft); fill: var(--soft); }
.strong { font-weight: 650; }
.scroll { overflow-x: auto; margin: 6px 0 10px; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 650; padding: 12px 0 4px; }
th { text-align: left; font-weight: 500; color: var(--soft); border-bottom: 1px solid var(--rule);
  padding: 5px 18px 5px 0;
  vertical-align: bottom; }
td { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--grid); vertical-align: top; overflow-wrap: break-word; }
td.right { overflow-wrap: normal; }
th:last-child, td:last-child { padding-right: 0; }
.right { text-align: right; white-space: nowrap; }
th.right { white-space: normal; }
details { margin: 8px 0 4px; }
summary { cursor: pointer; color: var(--accent); font-size: 0.92rem; padding: 4px 0; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 4px 0 10px; padding: 0;
  font-size: 0.87rem;
  color: var(--soft); }
.legend b { color: var(--ink); font-weight: 600; margin-right: 4px; }
.key { white-space: nowrap; margin-right: 8px; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 5px;
  vertical-align: -1px; }
.axis-title .swatch { margin: 0 1px; }
.mark-whole { width: 3px; height: 15px; border-radius: 0; background: var(--ink); vertical-align: -3px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 10px; }
.card { background: var(--panel); border-radius: 8px; padding: 9px 12px 6px; min-width: 0; }
.card-name { font-size: 0.84rem; color: var(--soft); overflow-wrap: break-word; line-height: 1.35; }
.card-value { font-weight: 650; font-variant-numeric: tabular-nums; }
.card-value span { font-weight: 500; font-size: 0.88rem; margin-left: 4px; }
.finding-line { font-size: 1.06rem; font-weight: 600; margin: 0 0 12px; }
.scenarios { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 4px 32px; }
.scenario { min-width: 0; }
header section { margin-top: 26px; }
.gain-free { fill: var(--grid); } .gain-half { fill: var(--accent); }
.findings { list-style: none; margin: 0; padding: 0; }
.finding { display: flex; gap: 12px; padding: 8px 0; border-bottom: 1px solid var(--grid); font-size: 0.93rem; }
.finding > div { min-width: 0; overflow-wrap: anywhere; }
.chip { flex: 0 0 68px; height: 22px; line-height: 20px; text-align: center; border: 1px solid currentColor;
  border-radius: 11px;
  font-size: 0.78rem; }
footer { margin-top: 48px; color: var(--soft); font-size: 0.85rem; border-top: 1px solid var(--rule);
  padding-top: 12px; }
svg.chart { display: block; overflow: visible; font-size: 13px; font-variant-numeric: tabular-nums; }
svg text { fill: var(--ink); }
svg text.narrow { display: none; }
svg text.axis { fill: var(--soft); font-size: 12px; }
svg text.bar-name { font-weight: 600; }
svg text.bar-name, svg text.bar-value { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
svg text.bar-value { fill: var(--soft); }
svg text.bar-value.good { fill: var(--good); } svg text.bar-value.bad { fill: var(--bad); }
svg text.bar-value.same { fill: var(--ink); }
svg text.in-bar { fill: var(--on-light); font-size: 12px; pointer-events: none; }
svg text.on-seal, svg text.on-digest, svg text.on-encode { fill: var(--on-strong); }
svg text.on-acknowledge { fill: var(--on-dark); }
.segment { stroke: var(--paper); stroke-width: 1; }
.remainder { fill: none; stroke: var(--soft); stroke-dasharray: 3 3; }
.whole { stroke: var(--ink); stroke-width: 2; }
.bar { fill: var(--line-5); } .bar.final { fill: var(--line-0); }
.saved { fill: var(--grid); }
.whisker { stroke: var(--ink); stroke-width: 1.5; }
.grid-line { stroke: var(--grid); } .grid-line.minor { opacity: 0.45; }
.zero-line { stroke: var(--soft); }
.line { stroke-width: 2; stroke-linecap: round; } .error { stroke-width: 1.5; opacity: 0.75; }
.dot { stroke: var(--paper); stroke-width: 1.5; }
.noise { fill: var(--grid); }
.whisker-good { stroke: var(--good); stroke-width: 2; } .whisker-bad { stroke: var(--bad); stroke-width: 2; }
.whisker-same { stroke: var(--ink); stroke-width: 2; } .whisker-faint { stroke: var(--soft); stroke-width: 2; }
.fill-good { fill: var(--good); } .fill-bad { fill: var(--bad); } .fill-same { fill: var(--ink); }
.fill-faint { fill: var(--soft); }
.heat-none { fill: none; stroke: var(--rule); stroke-dasharray: 3 3; }
.step-encode { fill: var(--step-encode); background: var(--step-encode); }
.step-bookkeeping { fill: var(--step-bookkeeping); background: var(--step-bookkeeping); }
.step-route { fill: var(--step-route); background: var(--step-route); }
.step-decode { fill: var(--step-decode); background: var(--step-decode); }
.step-reassemble { fill: var(--step-reassemble); background: var(--step-reassemble); }
.step-acknowledge { fill: var(--step-acknowledge); background: var(--step-acknowledge); }
.step-other { fill: var(--step-other); background: var(--step-other); }
.step-seal { fill: var(--step-seal); background: var(--step-seal); }
.step-open { fill: var(--step-open); background: var(--step-open); }
.step-send_call { fill: var(--step-send_call); background: var(--step-send_call); }
.step-receive_call { fill: var(--step-receive_call); background: var(--step-receive_call); }
.step-digest { fill: var(--step-digest); background: var(--step-digest); }
.step-application { fill: var(--step-application); background: var(--step-application); }
.step-idle { fill: var(--step-idle); background: var(--step-idle); }
.line-0 { stroke: var(--line-0); } .fill-line-0 { fill: var(--line-0); background: var(--line-0); }
.line-1 { stroke: var(--line-1); } .fill-line-1 { fill: var(--line-1); background: var(--line-1); }
.line-2 { stroke: var(--line-2); } .fill-line-2 { fill: var(--line-2); background: var(--line-2); }
.line-3 { stroke: var(--line-3); } .fill-line-3 { fill: var(--line-3); background: var(--line-3); }
.line-4 { stroke: var(--line-4); } .fill-line-4 { fill: var(--line-4); background: var(--line-4); }
.line-5 { stroke: var(--line-5); } .fill-line-5 { fill: var(--line-5); background: var(--line-5); }
.heat-0 { fill: var(--h0); background: var(--h0); }
.heat-1 { fill: var(--h1); background: var(--h1); }
.heat-2 { fill: var(--h2); background: var(--h2); }
.heat-3 { fill: var(--h3); background: var(--h3); }
.heat-4 { fill: var(--h4); background: var(--h4); }
.heat-5 { fill: var(--h5); background: var(--h5); }
.heat-6 { fill: var(--h6); background: var(--h6); }
.heat-7 { fill: var(--h7); background: var(--h7); }
.heat-8 { fill: var(--h8); background: var(--h8); }
.heat-9 { fill: var(--h9); background: var(--h9); }
svg text.heat-text-0, svg text.heat-text-1, svg text.heat-text-2, svg text.heat-text-3, svg text.heat-text-4,
svg text.heat-text-5, svg text.heat-text-6 { fill: var(--heat-low-text); }
svg text.heat-text-7, svg text.heat-text-8, svg text.heat-text-9 { fill: var(--heat-high-text); }
:root { --heat-low-text: var(--heat-dark); --heat-high-text: var(--heat-light); }
@media (prefers-color-scheme: dark) { :root { --heat-low-text: var(--heat-light);
  --heat-high-text: var(--heat-dark); } }
@media (max-width: 700px) {
  body { padding: 16px 14px 40px; font-size: 15px; }
  h1 { font-size: 1.55rem; }
  .wide, .minor { display: none; }
  svg text.narrow { display: inline; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .tile-value { font-size: 1.15rem; }
  .cards { grid-template-columns: repeat(2, 1fr); }
  th, td { padding-right: 9px; }
  .scenario table { font-size: 0.8rem; }
  .scenario th, .scenario td { padding-right: 6px; }
  svg.chart { font-size: 12px; }
}
@media print { body { max-width: none; } details { display: block; } nav { display: none; } }
)css";
}

}  // namespace godwit::report
