/** True in a page, which can be left at any moment. */
export const isPage = (): boolean =>
  typeof document === "object" && typeof addEventListener === "function";
