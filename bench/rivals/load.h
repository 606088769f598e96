// What the loads have in common: the clock, latencies, and what the server and the machine use.
#pragma once

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
  BUCKET_BITS = 7,  // 128 buckets for each power of two: 0.8 % wide.
  BUCKETS = (65 - BUCKET_BITS) << BUCKET_BITS,
};

typedef struct {
  uint64_t counts[BUCKETS];
  uint64_t total;
  uint64_t slowest_ns;
} Latencies;

typedef struct {
  double server_seconds;
  double server_user_seconds;
  double server_system_seconds;
  double client_seconds;
  double busy_seconds;  // Of the whole machine, time taken by the hypervisor included.
} Usage;

static void Die(const char* what) {
  perror(what);
  exit(1);
}

static uint64_t Now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Latency

static unsigned BucketOf(uint64_t value) {
  if (value < (1u << BUCKET_BITS)) return (unsigned)value;
  unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
  unsigned shift = exponent - BUCKET_BITS;
  return ((shift + 1) << BUCKET_BITS) + (unsigned)((value >> shift) & ((1u << BUCKET_BITS) - 1));
}

static double MiddleOf(unsigned bucket) {
  if (bucket < (1u << BUCKET_BITS)) return bucket;
  unsigned shift = (bucket >> BUCKET_BITS) - 1;
  double mantissa = (1u << BUCKET_BITS) + (bucket & ((1u << BUCKET_BITS) - 1)) + 0.5;
  return mantissa * (double)(1ull << shift);
}

static void AddLatency(Latencies* latencies, uint64_t elapsed_ns) {
  latencies->counts[BucketOf(elapsed_ns)]++;
  latencies->total++;
  if (elapsed_ns > latencies->slowest_ns) latencies->slowest_ns = elapsed_ns;
}

// In microseconds.
static double Percentile(const Latencies* latencies, double share) {
  uint64_t wanted = (uint64_t)(share * (double)latencies->total);
  uint64_t seen = 0;
  for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
    seen += latencies->counts[bucket];
    if (seen > wanted) return MiddleOf(bucket) / 1e3;
  }
  return (double)latencies->slowest_ns / 1e3;
}

// The server and the machine

static double Seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

// All threads, in nanoseconds; /proc/PID/stat counts in hundredths of a second.
static double ServerSeconds(int pid) {
  char path[64];
  double nanoseconds = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* tasks = opendir(path);
  if (tasks == NULL) return 0;
  for (struct dirent* entry; (entry = readdir(tasks)) != NULL;) {
    double ran = 0;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", pid, entry->d_name);
    FILE* file = fopen(path, "r");
    if (file == NULL) continue;
    if (fscanf(file, "%lf", &ran) == 1) nanoseconds += ran;
    fclose(file);
  }
  closedir(tasks);
  return nanoseconds / 1e9;
}

static void ReadServerSplit(int pid, Usage* usage) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE* file = fopen(path, "r");
  if (file == NULL) return;
  double user = 0;
  double system = 0;
  // The name in parentheses may contain spaces; utime and stime are the fields 14 and 15.
  if (fscanf(file, "%*[^)]) %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lf %lf", &user,
             &system) == 2) {
    usage->server_user_seconds = user / (double)sysconf(_SC_CLK_TCK);
    usage->server_system_seconds = system / (double)sysconf(_SC_CLK_TCK);
  }
  fclose(file);
}

static double BusySeconds(void) {
  FILE* file = fopen("/proc/stat", "r");
  if (file == NULL) return 0;
  double user, nice, system, idle, iowait, irq, softirq, steal;
  int fields = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle,
                      &iowait, &irq, &softirq, &steal);
  fclose(file);
  if (fields != 8) return 0;
  return (user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
}

// `pid` is the server, or 0.
static Usage ReadUsage(int pid) {
  Usage usage = {0};
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  usage.client_seconds = Seconds(own.ru_utime) + Seconds(own.ru_stime);
  usage.busy_seconds = BusySeconds();
  if (pid == 0) return usage;
  usage.server_seconds = ServerSeconds(pid);
  ReadServerSplit(pid, &usage);
  return usage;
}

// The members of the JSON that tell of processor time.
static void PrintUsage(const Usage* before, const Usage* after) {
  double server = after->server_seconds - before->server_seconds;
  double client = after->client_seconds - before->client_seconds;
  printf("\"serverSeconds\":%.4f,\"serverUserSeconds\":%.2f,\"serverSystemSeconds\":%.2f,", server,
         after->server_user_seconds - before->server_user_seconds,
         after->server_system_seconds - before->server_system_seconds);
  printf("\"clientSeconds\":%.4f,\"otherSeconds\":%.3f", client,
         after->busy_seconds - before->busy_seconds - server - client);
}
