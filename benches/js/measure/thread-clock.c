// The time for which a thread has computed, which Node tells in ticks of four milliseconds at best.

#include <node_api.h>
#include <time.h>

static napi_value microseconds(napi_env env, napi_callback_info info) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  napi_value result;
  napi_create_double(env, (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "microseconds", NAPI_AUTO_LENGTH, microseconds, NULL, &function);
  return function;
}
