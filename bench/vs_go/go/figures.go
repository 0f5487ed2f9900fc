// The programs of figures.cpp in Go: they say themselves what they measured.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

var figures = map[string]func(n int) int{
	"echo_1":           func(n int) int { return echo(1, n) },
	"echo_100":         func(n int) int { return echo(100, n) },
	"echo_1000":        func(n int) int { return echo(1000, n) },
	"lateness_500":     func(n int) int { return lateness(500, n) },
	"lateness_990":     func(n int) int { return lateness(990, n) },
	"memory_unstarted": func(n int) int { return memory(false, n) },
	"memory_waiting":   func(n int) int { return memory(true, n) },
}

const message = 64

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ask(c net.Conn, times int) {
	room := make([]byte, message)
	for range times {
		must(c.Write(room))
		must(io.ReadFull(c, room))
	}
}

// Nanoseconds of n round trips over so many connections at a time, which exist before.
func echo(connections, n int) int {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	var serving sync.WaitGroup
	var clients []net.Conn
	for range connections {
		clients = append(clients, must(net.Dial("tcp", l.Addr().String())))
		c := must(l.Accept())
		serving.Go(func() {
			room := make([]byte, 4096)
			for {
				got, err := c.Read(room)
				if err != nil {
					return
				}
				must(c.Write(room[:got]))
			}
		})
	}
	askAll := func(times int) {
		var asking sync.WaitGroup
		for _, c := range clients {
			asking.Go(func() { ask(c, times) })
		}
		asking.Wait()
	}
	askAll(10) // warm
	start := time.Now()
	askAll(n / connections)
	took := time.Since(start)
	for _, c := range clients {
		c.Close()
	}
	serving.Wait()
	return int(took.Nanoseconds())
}

// 10,000 tickers, of which n ticks each are received: as late as this many per mille of the ticks come, or less.
func lateness(perMille, n int) int {
	const tickers = 10_000
	const period = 100 * time.Millisecond
	late := make([]time.Duration, tickers*n)
	var wg sync.WaitGroup
	for i := range tickers {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * (period / tickers))
			start := time.Now()
			t := time.NewTicker(period)
			for k := range n {
				<-t.C
				late[i*n+k] = time.Since(start) % period
			}
			t.Stop()
		})
	}
	wg.Wait()
	slices.Sort(late)
	return int(late[len(late)*perMille/1000])
}

func residentBytes() int {
	var all, resident int
	must(fmt.Sscan(string(must(os.ReadFile("/proc/self/statm"))), &all, &resident))
	return resident * os.Getpagesize()
}

// What n goroutines take up that have been started, and wait if they have run.
func memory(run bool, n int) int {
	gate := make(chan struct{})
	var arrived, ended sync.WaitGroup
	arrived.Add(n)
	ended.Add(n)
	before := residentBytes()
	for range n {
		go func() {
			arrived.Done()
			<-gate
			ended.Done()
		}()
	}
	if run {
		arrived.Wait()
	}
	bytes := residentBytes() - before
	close(gate)
	ended.Wait()
	return bytes
}
