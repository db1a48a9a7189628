// @ts-check

// The memory of the core, which no bus shows. In a host without WebAssembly it is an `ArrayBuffer`.

const PAGE_BYTES = 65_536;
/** True if the core is WebAssembly here. */
export const hasWebAssembly = globalThis.WebAssembly !== undefined;

const MiB = 1 << 20;

/**
 * Most bytes of memory of one bus, as docs/sizing.md says.
 *
 * @param {number} maxBytes
 * @param {number} shards
 * @param {number} events held at most
 */
export const memoryBound = (maxBytes, shards, events) =>
  1.25 * maxBytes + 4 * MiB + 17 * events + (shards - 1) * (MiB / 4);

/** To be called before there is a bus. Returns how many bytes the memory has. @returns {() => number} */
export function watchMemory() {
  return hasWebAssembly ? watchInstance() : watchBuffers();
}

/** @returns {() => number} */
function watchInstance() {
  const { Instance } = WebAssembly;
  /** @type {WebAssembly.Memory | undefined} */
  let memory;
  WebAssembly.Instance = class extends Instance {
    /** @param {WebAssembly.Module} module @param {WebAssembly.Imports} [imports] */
    constructor(module, imports) {
      super(module, imports);
      memory = /** @type {WebAssembly.Memory} */ (this.exports.memory);
      WebAssembly.Instance = Instance;
    }
  };
  return () => memory?.buffer.byteLength ?? 0;
}

/** @returns {() => number} */
function watchBuffers() {
  let length = 0;
  replaceArrayBuffer((bytes) => {
    // Nothing else in these tests makes any so large.
    if (bytes > 16 * PAGE_BYTES) length = bytes;
  });
  return () => length;
}

/**
 * Bounds the memory of a core that is not loaded yet.
 *
 * @param {number} pages of 64 KiB, at most 127
 */
export function limitMemory(pages) {
  if (!hasWebAssembly) {
    replaceArrayBuffer((bytes) => {
      if (bytes > pages * PAGE_BYTES) throw new RangeError("Array buffer allocation failed");
    });
    return;
  }
  const { Module } = WebAssembly;
  compileWith((bytes) => new Module(withMemoryLimit(new Uint8Array(bytes), pages)));
}

/** @param {(bytes: number) => void} look called with the size of each buffer before it is made */
function replaceArrayBuffer(look) {
  globalThis.ArrayBuffer = new Proxy(globalThis.ArrayBuffer, {
    construct(target, args) {
      look(args[0]);
      return Reflect.construct(target, args);
    },
  });
}

/**
 * Replaces the compilation of modules by `compile`.
 *
 * @param {(bytes: any) => any} compile
 * @returns {() => void} undoes it
 */
export function compileWith(compile) {
  const { Module } = WebAssembly;
  WebAssembly.Module = /** @type {any} */ (
    function FakeModule(/** @type {BufferSource} */ bytes) {
      return compile(bytes);
    }
  );
  return () => {
    WebAssembly.Module = Module;
  };
}

/**
 * The module with a bound on its memory, in pages of 64 KiB.
 *
 * @param {Uint8Array} bytes
 * @param {number} max at most 127
 */
function withMemoryLimit(bytes, max) {
  const MEMORY_SECTION = 5;
  let at = 8;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = /** @type {number} */ (bytes[at++]);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const id = varint();
    const end = varint() + at;
    if (id === MEMORY_SECTION) {
      // One memory, whose limits have a flag for whether there is a maximum after the minimum.
      const [count, flags] = [varint(), varint()];
      if (count !== 1 || flags !== 0) throw new Error("the module's memory has a bound already");
      const minimum = bytes.subarray(at, end);
      const content = [1, 1, ...minimum, max];
      const section = [MEMORY_SECTION, content.length, ...content];
      return new Uint8Array([...bytes.subarray(0, start), ...section, ...bytes.subarray(end)]);
    }
    at = end;
  }
  throw new Error("the module has no memory");
}
