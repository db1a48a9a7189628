// @ts-check

// The script of a page with a strict Content-Security-Policy: sends one event with the entry that
// the page's address names, and reports the result.
const { searchParams } = new URL(location.href);

/** @param {string} path @param {BodyInit} body */
const post = (path, body) => fetch(path, { method: "POST", body });

/** @returns {string} the error of compiling a module of eight bytes */
function compile() {
  try {
    new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    return "";
  } catch (error) {
    return String(error);
  }
}

if (searchParams.get("entry") === "fallback") {
  const { offer } = await import(String("/fallback.mjs"));
  offer({ from: "a strict page" });
} else {
  await sendOne();
}

async function sendOne() {
  try {
    const { EventBus } = await import(`/dist/${searchParams.get("entry")}.js`);
    const bus = new EventBus((/** @type {any} */ batch) => post("/events", batch.body));
    bus.ingest({ from: "a strict page" });
    await bus.close();
    await post("/told", JSON.stringify({ delivered: bus.stats().delivered, compile: compile() }));
  } catch (error) {
    const { name, code, message } = /** @type {any} */ (error);
    await post("/told", JSON.stringify({ name, code, message, compile: compile() }));
  }
}
