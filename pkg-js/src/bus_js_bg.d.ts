/// <reference lib="esnext.disposable" />
/* tslint:disable */
/* eslint-disable */

/**
 * A copy of the batch's body.
 */
export function batch_body(handle: number): Uint8Array;

/**
 * The batch as bytes for a store; none, if there is no memory for them.
 */
export function batch_encode(handle: number): Uint8Array;

/**
 * The length of each of the batch's events, in bytes. They stand one after another in its body,
 * with one byte between two.
 */
export function batch_lens(handle: number): Uint32Array;

/**
 * Makes a bus of [`BusOptions::from_numbers`], and returns its handle. Throws `[rule, value]` if they
 * break a rule, which is one of [`Rule::BETWEEN`](shardbus::Rule::BETWEEN): the host has checked each
 * option by itself.
 */
export function create(options: Float64Array | number[]): number;

/** Links the glue to an instance. */
export function __wbg_set_wasm(exports: WebAssembly.Exports): void;
