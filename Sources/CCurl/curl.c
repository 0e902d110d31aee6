#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

// libcurl's header wraps these in macros that check the types of arguments.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define FUNCTIONS(X)                                                                                          \
  X(curl_global_init) X(curl_easy_init) X(curl_easy_reset) X(curl_easy_cleanup)                               \
  X(curl_easy_strerror) X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_multi_init) X(curl_multi_cleanup)     \
  X(curl_multi_add_handle) X(curl_multi_remove_handle) X(curl_multi_perform) X(curl_multi_poll)               \
  X(curl_multi_wakeup) X(curl_multi_setopt) X(curl_multi_info_read) X(curl_slist_append) X(curl_slist_free_all)

#define DECLARE(name) __typeof__(&name) name;
static struct {
  FUNCTIONS(DECLARE)
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[256];

// The names under which distributions have it, whichever TLS library it was built with.
static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib"};

static void load(void) {
  void *library = NULL;
  for (size_t n = 0; library == NULL && n < sizeof names / sizeof *names; n++)
    library = dlopen(names[n], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    snprintf(problem, sizeof problem, "libcurl is not installed");
    return;
  }
#define LOAD(name)                                                                \
  if ((curl.name = (__typeof__(&name))dlsym(library, #name)) == NULL) {           \
    snprintf(problem, sizeof problem, "libcurl is too old: it has no %s", #name); \
    return;                                                                       \
  }
  FUNCTIONS(LOAD)
  CURLcode code = curl.curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) snprintf(problem, sizeof problem, "libcurl: %s", curl.curl_easy_strerror(code));
}

const char *fabrik_curl_load(void) {
  pthread_once(&once, load);
  return problem[0] ? problem : NULL;
}

CURL *fabrik_curl_easy_init(void) { return curl.curl_easy_init(); }
void fabrik_curl_easy_reset(CURL *handle) { curl.curl_easy_reset(handle); }
void fabrik_curl_easy_cleanup(CURL *handle) { curl.curl_easy_cleanup(handle); }
const char *fabrik_curl_easy_strerror(CURLcode code) { return curl.curl_easy_strerror(code); }

CURLcode fabrik_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl.curl_easy_setopt(handle, option, value);
}
CURLcode fabrik_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
  return curl.curl_easy_setopt(handle, option, value);
}
CURLcode fabrik_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl.curl_easy_setopt(handle, option, value);
}
CURLcode fabrik_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl.curl_easy_setopt(handle, option, value);
}
CURLcode fabrik_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
  return curl.curl_easy_setopt(handle, option, value);
}
CURLcode fabrik_curl_set_transfer(CURL *handle, CURLoption option, fabrik_curl_transfer function) {
  return curl.curl_easy_setopt(handle, option, function);
}
CURLcode fabrik_curl_set_seek(CURL *handle, fabrik_curl_seek function) {
  return curl.curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, function);
}
CURLcode fabrik_curl_get_long(CURL *handle, CURLINFO info, long *value) {
  return curl.curl_easy_getinfo(handle, info, value);
}

CURLM *fabrik_curl_multi_init(void) { return curl.curl_multi_init(); }
CURLMcode fabrik_curl_multi_cleanup(CURLM *multi) { return curl.curl_multi_cleanup(multi); }
CURLMcode fabrik_curl_multi_add(CURLM *multi, CURL *handle) { return curl.curl_multi_add_handle(multi, handle); }
CURLMcode fabrik_curl_multi_remove(CURLM *multi, CURL *handle) { return curl.curl_multi_remove_handle(multi, handle); }
CURLMcode fabrik_curl_multi_perform(CURLM *multi, int *running) { return curl.curl_multi_perform(multi, running); }
CURLMcode fabrik_curl_multi_poll(CURLM *multi, int milliseconds) {
  return curl.curl_multi_poll(multi, NULL, 0, milliseconds, NULL);
}
CURLMcode fabrik_curl_multi_wakeup(CURLM *multi) { return curl.curl_multi_wakeup(multi); }
CURLMcode fabrik_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl.curl_multi_setopt(multi, option, value);
}

CURL *fabrik_curl_multi_next_done(CURLM *multi, CURLcode *result) {
  int rest;
  CURLMsg *message;
  while ((message = curl.curl_multi_info_read(multi, &rest)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return NULL;
}

struct curl_slist *fabrik_curl_list_append(struct curl_slist *list, const char *text) {
  return curl.curl_slist_append(list, text);
}
void fabrik_curl_list_free(struct curl_slist *list) { curl.curl_slist_free_all(list); }
