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
  svg { color: #1f2328; }
  text { fill: currentColor; }
  @media (prefers-color-scheme: dark) { svg { color: #e6edf3; } }
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

const heading = (title, options) =>
  Plot.text([title], {
    frameAnchor: "top-left",
    dy: -26,
    fontSize: 14,
    fontWeight: "bold",
    text: (text) => text,
    ...options,
  });

const options = (document) => ({ document, style: { overflow: "visible", fontSize: "12px" } });

/** CPU time per event of each candidate, in panels with scales of their own. */
export function plotCosts({ costs }) {
  const { document } = parseHTML("<html></html>");
  const width = 820;
  const cost = (name) => costs[name].microseconds.median;
  const panel = (title, names) => {
    const data = names.map((name) => ({
      label: `${name}: ${candidates[name].about}`,
      group: candidates[name].group,
      cost: cost(name),
    }));
    return Plot.plot({
      ...options(document),
      width,
      marginLeft: 345,
      marginRight: 50,
      marginTop: 34,
      marginBottom: 20,
      height: 54 + data.length * 22,
      x: { domain: [0, Math.max(...data.map(({ cost }) => cost))], axis: null },
      y: { domain: data.map(({ label }) => label), label: null, tickSize: 0 },
      marks: [
        Plot.barX(data, { x: "cost", y: "label", fill: ({ group }) => COLORS[group] }),
        Plot.text(data, {
          x: "cost",
          y: "label",
          text: ({ cost }) => cost.toFixed(2),
          textAnchor: "start",
          dx: 5,
          fontWeight: ({ group }) => (group === "shardbus" ? "bold" : "normal"),
        }),
        heading(title, { dx: -335 }),
      ],
    });
  };
  const isSdk = (name) => candidates[name].group === "sdk";
  const objects = ranking(costs, true);
  const plots = [
    panel(
      "Events as objects, CPU µs per event",
      objects.filter((name) => !isSdk(name)),
    ),
    panel(
      "Vendors' SDKs in their own formats, CPU µs per event",
      objects.filter((name) => isSdk(name) || name === "shardbus-ingest"),
    ),
    panel("Events that are JSON already, CPU µs per event", ranking(costs, false)),
  ];
  return stack(plots, width, legend());
}

const HELD_COLORS = { objects: "#4c6ef5", strings: "#868e96", shardbus: COLORS.shardbus };

/**
 * Places labels beside points, as high as their points or higher, so that none overlap.
 *
 * @param {number[]} values
 * @param {number} distance the least between two
 */
export function spread(values, distance) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const places = [...values];
  for (const [rank, i] of order.entries()) {
    if (rank > 0) places[i] = Math.max(values[i], places[order[rank - 1]] + distance);
  }
  return places;
}

/** Pause and memory by the number of events held. */
export function plotHeld({ curve }) {
  const { document } = parseHTML("<html></html>");
  const width = 820;
  const most = Math.max(...curve.map(({ events }) => events));
  const panel = (title, value) => {
    const data = curve.map((point) => ({ ...point, value: value(point) }));
    const last = data.filter(({ events }) => events === most);
    const heights = last.map(({ value }) => value);
    const places = spread(heights, Math.max(...heights) / 12);
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
        labelAnchor: "center",
        labelArrow: "none",
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
        Plot.text(last, {
          x: "events",
          y: places,
          text: ({ way, value }) => `${way} ${value < 10 ? value.toFixed(1) : value.toFixed(0)}`,
          textAnchor: "start",
          dx: 9,
          fontWeight: ({ way }) => (way === "shardbus" ? "bold" : "normal"),
        }),
        heading(title, { dx: -50 }),
      ],
    });
  };
  const plots = [
    panel("Pause of a full garbage collection, ms", ({ pauseMs }) => pauseMs.median),
    panel("Growth of the JS heap, MB", ({ heapBytes }) => Math.max(0, heapBytes.median / 1e6)),
    panel("Growth of the process (RSS), MB", ({ rssBytes }) => rssBytes.median / 1e6),
  ];
  return stack(plots, width);
}
