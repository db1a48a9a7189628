// @ts-check

// Tests that may be skipped in CI too, each for the reason that `skip` is given. Any other test that
// is skipped there is a failure: nobody would notice that it never runs.

/** @type {{ [what: string]: string }} */
export const skips = {
  firefoxClosed: "Firefox drops about half of what a tab fetches while it is closed",
  noMount: "only root may mount a file system, to fill it",
};

/** True if a test may be skipped for this reason, here. @param {unknown} reason */
export const isAllowedSkip = (reason) =>
  process.env.CI !== "true" || Object.values(skips).some((allowed) => allowed === reason);
