import { utf8Decoder } from "./util/utf8.js";
/**
 * A copy of the batch's body.
 * @param {number} handle
 * @returns {Uint8Array}
 */
export function batch_body(handle) {
    const ret = wasm.batch_body(handle);
    return ret;
}

/**
 * The batch as bytes for a store; none, if there is no memory for them.
 * @param {number} handle
 * @returns {Uint8Array}
 */
export function batch_encode(handle) {
    const ret = wasm.batch_encode(handle);
    var v1 = getArrayU8FromWasm0(ret[0], ret[1]).slice();
    wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
    return v1;
}

/**
 * The length of each of the batch's events, in bytes. They stand one after another in its body,
 * with one byte between two.
 * @param {number} handle
 * @returns {Uint32Array}
 */
export function batch_lens(handle) {
    const ret = wasm.batch_lens(handle);
    var v1 = getArrayU32FromWasm0(ret[0], ret[1]).slice();
    wasm.__wbindgen_free(ret[0], ret[1] * 4, 4);
    return v1;
}

/**
 * Makes a bus of [`BusOptions::from_numbers`], and returns its handle. Throws `[rule, value]` if they
 * break a rule, which is one of [`Rule::BETWEEN`](shardbus::Rule::BETWEEN): the host has checked each
 * option by itself.
 * @param {Float64Array | number[]} options
 * @returns {number}
 */
export function create(options) {
    const ptr0 = passArrayF64ToWasm0(options, wasm.__wbindgen_malloc);
    const len0 = WASM_VECTOR_LEN;
    const ret = wasm.create(ptr0, len0);
    if (ret[2]) {
        throw takeFromExternrefTable0(ret[1]);
    }
    return ret[0] >>> 0;
}
export function __wbg___wbindgen_throw_4c88d8bf264fd984(arg0, arg1) {
    throw new Error(getStringFromWasm0(arg0, arg1));
}
export function __wbg_new_13de428334042d26(arg0) {
    const ret = new Uint8Array(arg0);
    return ret;
}
export function __wbg_new_from_slice_b8daf545a41c6aa0(arg0, arg1) {
    const ret = new Uint8Array(getArrayU8FromWasm0(arg0, arg1));
    return ret;
}
export function __wbg_of_e7ea0fcd535c1444(arg0, arg1) {
    const ret = Array.of(arg0, arg1);
    return ret;
}
export function __wbindgen_generic_0000000000000001(arg0) {
    // Cast intrinsic for `F64 -> Externref`.
    const ret = arg0;
    return ret;
}
export function __wbindgen_init_externref_table() {
    const table = wasm.__wbindgen_externrefs;
    table.set(0, undefined);
    table.set(1024, undefined);
    table.set(1025, null);
    table.set(1026, true);
    table.set(1027, false);
}
function getArrayU32FromWasm0(ptr, len) {
    ptr = ptr >>> 0;
    return getUint32ArrayMemory0().subarray(ptr / 4, ptr / 4 + len);
}

function getArrayU8FromWasm0(ptr, len) {
    ptr = ptr >>> 0;
    return getUint8ArrayMemory0().subarray(ptr / 1, ptr / 1 + len);
}

let cachedFloat64ArrayMemory0 = null;
function getFloat64ArrayMemory0() {
    if (cachedFloat64ArrayMemory0 === null || cachedFloat64ArrayMemory0.byteLength === 0) {
        cachedFloat64ArrayMemory0 = new Float64Array(wasm.memory.buffer);
    }
    return cachedFloat64ArrayMemory0;
}

function getStringFromWasm0(ptr, len) {
    ptr = ptr >>> 0;
    return decodeText(getUint8ArrayMemory0().subarray(ptr, ptr + len));
}

let cachedUint32ArrayMemory0 = null;
function getUint32ArrayMemory0() {
    if (cachedUint32ArrayMemory0 === null || cachedUint32ArrayMemory0.byteLength === 0) {
        cachedUint32ArrayMemory0 = new Uint32Array(wasm.memory.buffer);
    }
    return cachedUint32ArrayMemory0;
}

let cachedUint8ArrayMemory0 = null;
function getUint8ArrayMemory0() {
    if (cachedUint8ArrayMemory0 === null || cachedUint8ArrayMemory0.byteLength === 0) {
        cachedUint8ArrayMemory0 = new Uint8Array(wasm.memory.buffer);
    }
    return cachedUint8ArrayMemory0;
}

function passArrayF64ToWasm0(arg, malloc) {
    const ptr = malloc(arg.length * 8, 8) >>> 0;
    getFloat64ArrayMemory0().set(arg, ptr / 8);
    WASM_VECTOR_LEN = arg.length;
    return ptr;
}

function takeFromExternrefTable0(idx) {
    const value = wasm.__wbindgen_externrefs.get(idx);
    wasm.__externref_table_dealloc(idx);
    return value;
}

const decodeText = (bytes) => utf8Decoder().decode(bytes);

let WASM_VECTOR_LEN = 0;


let wasm;
export function __wbg_set_wasm(val) {
    wasm = val;
}

export const glue = () => ({ batch_body, batch_encode, batch_lens, create, __wbg___wbindgen_throw_4c88d8bf264fd984, __wbg_new_13de428334042d26, __wbg_new_from_slice_b8daf545a41c6aa0, __wbg_of_e7ea0fcd535c1444, __wbindgen_generic_0000000000000001, __wbindgen_init_externref_table, __wbg_set_wasm });
