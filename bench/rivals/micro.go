// Timers and tasks in Go: micro MEASURE OPERATIONS, with GOMAXPROCS=1. Prints one line of JSON.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const tasks = 100

// 100 goroutines that give way to each other.
func switchTasks(operations int) {
	var group sync.WaitGroup
	for i := 0; i < tasks; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < operations/tasks; i++ {
				runtime.Gosched()
			}
		}()
	}
	group.Wait()
}

// Starts a goroutine that does nothing, and waits for its end.
func spawnAndJoin(operations int) {
	done := make(chan struct{})
	for i := 0; i < operations; i++ {
		go func() { done <- struct{}{} }()
		<-done
	}
}

func startAndCancel(operations int) {
	for i := 0; i < operations; i++ {
		time.AfterFunc(time.Duration(10000+i%1000)*time.Millisecond, func() {}).Stop()
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	measures := map[string]func(int){
		"switch": switchTasks, "spawn": spawnAndJoin, "startCancel": startAndCancel,
	}
	body := measures[os.Args[1]]
	operations, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		body(operations / 4)
	}
	begin, used := time.Now(), cpuTime()
	body(operations)
	elapsed, cpu := time.Since(begin), cpuTime()-used
	line, err := json.Marshal(map[string]any{
		"metrics": map[string]float64{
			"cpuNs": float64(cpu.Nanoseconds()) / float64(operations),
			"ns":    float64(elapsed.Nanoseconds()) / float64(operations),
		},
		"cpuSeconds": cpuTime().Seconds(),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}
