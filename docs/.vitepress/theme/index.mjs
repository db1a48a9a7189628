// @ts-check
import DefaultTheme from "vitepress/theme";
import "../../../demo/demo.css";
import "./drawings.css";
import "./front.css";
import Demo from "./Demo.vue";

export default {
  extends: DefaultTheme,
  /** @param {{ app: import("vue").App }} context */
  enhanceApp({ app }) {
    app.component("Demo", Demo);
  },
};
