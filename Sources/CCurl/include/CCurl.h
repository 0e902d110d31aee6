// libcurl, loaded when it is first needed: linked, it and the forty libraries behind it would cost every server several
// milliseconds of its start. Swift cannot call functions with variable arguments, so each kind of argument has its own
// function here; names are libcurl's own.
#ifndef FABRIK_CURL_H
#define FABRIK_CURL_H

#include <curl/curl.h>

/// Loads the library and initialises it. NULL when it succeeded, before or now; else what is wrong, valid until the
/// process ends. May be called from several threads.
const char *fabrik_curl_load(void);

// None of the following may be called before `fabrik_curl_load` has returned NULL.

CURL *fabrik_curl_easy_init(void);
void fabrik_curl_easy_reset(CURL *handle);
void fabrik_curl_easy_cleanup(CURL *handle);
const char *fabrik_curl_easy_strerror(CURLcode code);
CURLcode fabrik_curl_set_long(CURL *handle, CURLoption option, long value);
CURLcode fabrik_curl_set_size(CURL *handle, CURLoption option, curl_off_t value);
CURLcode fabrik_curl_set_text(CURL *handle, CURLoption option, const char *value);
CURLcode fabrik_curl_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode fabrik_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value);

typedef size_t (*fabrik_curl_transfer)(char *bytes, size_t size, size_t count, void *context);
typedef int (*fabrik_curl_seek)(void *context, curl_off_t offset, int origin);
/// For CURLOPT_WRITEFUNCTION, CURLOPT_HEADERFUNCTION and CURLOPT_READFUNCTION.
CURLcode fabrik_curl_set_transfer(CURL *handle, CURLoption option, fabrik_curl_transfer function);
CURLcode fabrik_curl_set_seek(CURL *handle, fabrik_curl_seek function);

CURLcode fabrik_curl_get_long(CURL *handle, CURLINFO info, long *value);

CURLM *fabrik_curl_multi_init(void);
CURLMcode fabrik_curl_multi_cleanup(CURLM *multi);
CURLMcode fabrik_curl_multi_add(CURLM *multi, CURL *handle);
CURLMcode fabrik_curl_multi_remove(CURLM *multi, CURL *handle);
CURLMcode fabrik_curl_multi_perform(CURLM *multi, int *running);
CURLMcode fabrik_curl_multi_poll(CURLM *multi, int milliseconds);
CURLMcode fabrik_curl_multi_wakeup(CURLM *multi);
CURLMcode fabrik_curl_multi_set_long(CURLM *multi, CURLMoption option, long value);
/// A transfer that has ended: its handle and result. NULL when there is none.
CURL *fabrik_curl_multi_next_done(CURLM *multi, CURLcode *result);

struct curl_slist *fabrik_curl_list_append(struct curl_slist *list, const char *text);
void fabrik_curl_list_free(struct curl_slist *list);

#endif
