/*
 * Copyright The OpenTelemetry Authors
 * SPDX-License-Identifier: Apache-2.0
 */

import { MetricReader } from '@opentelemetry/sdk-metrics';
import type { Tracer as ApiTracer } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { SpanLimits, SpanProcessor } from '../../src';
import type { TracerProvider } from '../../src';

export const validAttributes = {
  string: 'string',
  number: 0,
  bool: true,
  'array<string>': ['str1', 'str2'],
  'array<number>': [1, 2],
  'array<bool>': [true, false],
};

export const invalidAttributes = {
  // invalid attribute type object
  object: { foo: 'bar' },
  // invalid attribute inhomogenous array
  'non-homogeneous-array': [0, ''],
  // This empty length attribute should not be set
  '': 'empty-key',
};

export function assertAssignable<T>(val: T): asserts val is T {}

export class TestMetricReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

interface Resolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: any) => void;
}

// Use Promise.withResolvers when we can
export function withResolvers<T>(): Resolvers<T> {
  let resolve: (value: T) => void;
  let reject: (reason: any) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });

  return {
    promise,
    resolve: resolve!,
    reject: reject!,
  };
}

/**
 * Many tests are written inspecting internal details of SDK implementation
 * classes. These `cheat*` functions attempt to abstract away the cheating part.
 */
export function cheatSpanProcessorsFromTracerProvider(
  tracerProvider: TracerProvider
): SpanProcessor[] {
  return (tracerProvider as any)._activeSpanProcessor._spanProcessors;
}
export function cheatResourceFromTracerProvider(
  tracerProvider: TracerProvider
): Resource {
  return (tracerProvider as any)._resource;
}
export function cheatSpanLimitsFromTracer(tracer: ApiTracer): SpanLimits {
  return (tracer as any)._spanLimits;
}
