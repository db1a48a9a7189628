// The plots of the README, as SVG that fits a light page and a dark one.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { candidates } from "./candidates/index.mjs";
import { ranking } from "./tables.mjs";

const COLORS = { shardbus: "#e8590c", baseline: "#4c6ef5", library: "#868e96", sdk: "#adb5bd" };
const GROUPS = {
  shardbus: "shardbus",
  baseline: "by hand",
  library: "libraries",
  sdk: "vendors' SDKs",
};
const STYLE = `
  text { fill: #1f2328; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
`;

/** Puts plots below one another in one document. @param {SVGElement[]} plots */
function stack(plots, width, header = "") {
  let y = header === "" ? 0 : 30;
  const parts = plots.map((plot) => {
    plot.setAttribute("y", y);
    y += Number(plot.getAttribute("height"));
    // They are styled for pages, not for files.
    plot.querySelector("style")?.remove();
    return plot.outerHTML;
  });
  const size = `width="${width}" height="${y}" viewBox="0 0 ${width} ${y}"`;
  const font = 'font-family="system-ui, sans-serif" font-size="12"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font}><style>${STYLE}</style>${header}${parts.join("")}</svg>\n`;
}

function legend() {
  let x = 10;
  const items = Object.entries(GROUPS).map(([group, name]) => {
    const item = `<rect x="${x}" y="9" width="12" height="12" fill="${COLORS[group]}"/><text x="${x + 17}" y="19">${name}</text>`;
    x += 40 + name.length * 7;
    return item;
  });
  return items.join("");
}

const options = (document) => ({ document, style: { overflow: "visible" } });

/** CPU time per event of each candidate; the scale is logarithmic. */
export function plotCosts({ costs }) {
  const { document } = parseHTML("<html></html>");
  const [width, marginLeft, marginRight] = [820, 330, 60];
  const highest = Math.max(...Object.values(costs).map((cost) => cost.microseconds.median));
  const lowest = Math.min(...Object.values(costs).map((cost) => cost.microseconds.median));
  const domain = [lowest / 2, highest];
  const panel = (input, title) => {
    const data = ranking(costs, input).map((name) => ({
      label: `${name}  –  ${candidates[name].about}`,
      group: candidates[name].group,
      cost: costs[name].microseconds.median,
    }));
    return Plot.plot({
      ...options(document),
      width,
      marginLeft,
      marginRight,
      marginTop: 34,
      height: 34 + 30 + data.length * 22,
      x: { type: "log", domain, axis: null },
      y: { domain: data.map(({ label }) => label), label: null, tickSize: 0 },
      marks: [
        Plot.barX(data, {
          x1: domain[0],
          x2: "cost",
          y: "label",
          fill: ({ group }) => COLORS[group],
        }),
        Plot.text(data, {
          x: "cost",
          y: "label",
          text: ({ cost }) => cost.toFixed(2),
          textAnchor: "start",
          dx: 5,
          fontWeight: ({ group }) => (group === "shardbus" ? "bold" : "normal"),
        }),
        Plot.text([title], {
          frameAnchor: "top-left",
          dy: -26,
          fontSize: 14,
          fontWeight: "bold",
          text: (text) => text,
        }),
      ],
    });
  };
  const plots = [
    panel(true, "Events as objects: CPU µs per event (logarithmic)"),
    panel(false, "Events that are JSON already: CPU µs per event (logarithmic)"),
  ];
  return stack(plots, width, legend());
}

const HELD_COLORS = { objects: "#4c6ef5", strings: "#868e96", shardbus: COLORS.shardbus };

/** Pause and memory by the number of events held. */
export function plotHeld({ curve }) {
  const { document } = parseHTML("<html></html>");
  const width = 820;
  const most = Math.max(...curve.map(({ events }) => events));
  const panel = (title, value) => {
    const data = curve.map((point) => ({ ...point, value: value(point) }));
    return Plot.plot({
      ...options(document),
      width,
      height: 260,
      marginLeft: 60,
      marginRight: 130,
      marginTop: 40,
      marginBottom: 40,
      x: {
        domain: [0, most],
        label: "events held",
        tickFormat: (n) => n.toLocaleString("en"),
        ticks: 6,
      },
      y: { label: null, grid: true, nice: true, zero: true, ticks: 5 },
      marks: [
        Plot.line(data, {
          x: "events",
          y: "value",
          stroke: ({ way }) => HELD_COLORS[way],
          z: "way",
          strokeWidth: ({ way }) => (way === "shardbus" ? 3.5 : 2),
        }),
        Plot.dot(data, { x: "events", y: "value", fill: ({ way }) => HELD_COLORS[way], r: 3.5 }),
        Plot.text(
          data.filter(({ events }) => events === most),
          {
            x: "events",
            y: "value",
            text: ({ way, value }) => `${way} ${value < 10 ? value.toFixed(1) : value.toFixed(0)}`,
            textAnchor: "start",
            dx: 9,
            fontWeight: ({ way }) => (way === "shardbus" ? "bold" : "normal"),
          },
        ),
        Plot.text([title], {
          frameAnchor: "top-left",
          dy: -28,
          dx: -40,
          fontSize: 14,
          fontWeight: "bold",
          text: (text) => text,
        }),
      ],
    });
  };
  const plots = [
    panel("Pause of a full garbage collection, ms", ({ pauseMs }) => pauseMs.median),
    panel("Growth of the JS heap, MB", ({ heapBytes }) => heapBytes.median / 1e6),
    panel("Growth of the process (RSS), MB", ({ rssBytes }) => rssBytes.median / 1e6),
  ];
  return stack(plots, width);
}
