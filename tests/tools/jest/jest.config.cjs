// Each environment that Jest has, and one in which the clock is faked before anything is loaded.
const common = { rootDir: __dirname, transform: {} };
const clocks = "<rootDir>/clocks.test.cjs";

module.exports = {
  projects: [
    { ...common, displayName: "node", testMatch: [clocks] },
    {
      ...common,
      displayName: "jsdom",
      testEnvironment: "jsdom",
      testMatch: [clocks, "<rootDir>/page.test.cjs"],
    },
    {
      ...common,
      displayName: "faked from the start",
      fakeTimers: { enableGlobally: true },
      testMatch: [clocks],
    },
  ],
};
