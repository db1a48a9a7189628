// @ts-check

/** Prints rows whose cells stand one below the other. @param {readonly string[][]} rows */
export function printTable(rows) {
  const widths =
    rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  for (const row of rows) {
    // Nothing stands after the last.
    const cells = row.map((cell, at) =>
      at < row.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell,
    );
    console.log(cells.join("  ").trimEnd());
  }
}
