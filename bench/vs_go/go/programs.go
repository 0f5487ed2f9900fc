// The programs of programs.cpp in Go: `programs NAME N PROCESSORS` prints the nanoseconds that N units of work took,
// or what else it measured (figures.go).
package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

var programs = map[string]func(n int){
	"spawn":          spawn,
	"spawn_blocking": spawnBlocking,
	"ping_pong":      pingPong,
	"yield_2":        func(n int) { yieldAmong(2, n) },
	"yield_1000":     func(n int) { yieldAmong(1000, n) },
	"buffered_1_1":   func(n int) { producersConsumers(1, 1, 128, n) },
	"buffered_4_4":   func(n int) { producersConsumers(4, 4, 64, n) },
	"buffered_8_1":   func(n int) { producersConsumers(8, 1, 64, n) },
	"select_2":       select2,
	"select_8":       select8,
	"select_timeout": selectTimeout,
	"select_shared":  selectShared,
	"skynet":         func(n int) { c := make(chan int); go skynet(c, 0, n); <-c },
	"fib":            func(n int) { fib(n) },
	"sieve":          sieve,
	"pipeline_10":    func(n int) { pipeline(10, n) },
	"pipeline_100":   func(n int) { pipeline(100, n) },
	"mutex":          mutexShared,
	"rw_mutex":       rwMutexShared,
	"wait_group":     waitGroups,
	"timers":         timers,
}

func spawn(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		go wg.Done()
	}
	wg.Wait()
}

// Each of 10,000 goroutines at a time waits once.
func spawnBlocking(n int) {
	for done := 0; done < n; done += 10000 {
		var arrived, wg sync.WaitGroup
		gate := make(chan struct{})
		arrived.Add(10000)
		wg.Add(10000)
		for range 10000 {
			go func() {
				arrived.Done()
				<-gate
				wg.Done()
			}()
		}
		arrived.Wait()
		close(gate)
		wg.Wait()
	}
}

func pingPong(n int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v
		}
		close(back)
	}()
	for i := range n {
		there <- i
		<-back
	}
	close(there)
	<-back
}

func yieldAmong(goroutines, n int) {
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range n / goroutines {
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
}

func producersConsumers(producers, consumers, capacity, n int) {
	c := make(chan int, capacity)
	var sent, received sync.WaitGroup
	for range producers {
		sent.Go(func() {
			for i := range n / producers {
				c <- i
			}
		})
	}
	for range consumers {
		received.Go(func() {
			for range c {
			}
		})
	}
	sent.Wait()
	close(c)
	received.Wait()
}

func select2(n int) {
	a, b := make(chan int, 1), make(chan int, 1)
	a <- 1
	b <- 1
	for range n {
		select {
		case v := <-a:
			a <- v
		case v := <-b:
			b <- v
		}
	}
}

func select8(n int) {
	var c [8]chan int
	for i := range c {
		c[i] = make(chan int, 1)
		c[i] <- i
	}
	for range n {
		select {
		case v := <-c[0]:
			c[0] <- v
		case v := <-c[1]:
			c[1] <- v
		case v := <-c[2]:
			c[2] <- v
		case v := <-c[3]:
			c[3] <- v
		case v := <-c[4]:
			c[4] <- v
		case v := <-c[5]:
			c[5] <- v
		case v := <-c[6]:
			c[6] <- v
		case v := <-c[7]:
			c[7] <- v
		}
	}
}

// A value comes each time before the timeout.
func selectTimeout(n int) {
	c := make(chan int)
	go func() {
		for i := range n {
			c <- i
		}
		close(c)
	}()
	for {
		select {
		case _, ok := <-c:
			if !ok {
				return
			}
		case <-time.After(time.Second):
			panic("timeout")
		}
	}
}

// Four goroutines select over the same three channels, which four others feed.
func selectShared(n int) {
	var c [3]chan int
	for i := range c {
		c[i] = make(chan int)
	}
	stop := make(chan struct{})
	var sent, received sync.WaitGroup
	for p := range 4 {
		sent.Go(func() {
			for i := range n / 4 {
				c[(i+p)%3] <- i
			}
		})
		received.Go(func() {
			for {
				select {
				case <-c[0]:
				case <-c[1]:
				case <-c[2]:
				case <-stop:
					return
				}
			}
		})
	}
	sent.Wait()
	close(stop)
	received.Wait()
}

func skynet(c chan int, number, size int) {
	if size == 1 {
		c <- number
		return
	}
	results := make(chan int)
	for i := range 10 {
		go skynet(results, number+i*size/10, size/10)
	}
	sum := 0
	for range 10 {
		sum += <-results
	}
	c <- sum
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	var a int
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		a = fib(n - 1)
		wg.Done()
	}()
	b := fib(n - 2)
	wg.Wait()
	return a + b
}

func sieve(n int) {
	c := make(chan int)
	stop := make(chan struct{})
	go func(c chan int) {
		for i := 2; ; i++ {
			select {
			case c <- i:
			case <-stop:
				close(c)
				return
			}
		}
	}(c)
	for range n {
		prime := <-c
		next := make(chan int)
		go func(in, out chan int) {
			for v := range in {
				if v%prime != 0 {
					out <- v
				}
			}
			close(out)
		}(c, next)
		c = next
	}
	close(stop)
	for range c {
	}
}

func pipeline(stages, n int) {
	first := make(chan int)
	c := first
	for range stages {
		next := make(chan int)
		go func(in, out chan int) {
			for v := range in {
				out <- v + 1
			}
			close(out)
		}(c, next)
		c = next
	}
	go func() {
		for i := range n {
			first <- i
		}
		close(first)
	}()
	for range c {
	}
}

func mutexShared(n int) {
	var m sync.Mutex
	counter := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				m.Lock()
				counter++
				m.Unlock()
			}
		})
	}
	wg.Wait()
}

// Eight goroutines, of whose uses every hundredth writes.
func rwMutexShared(n int) {
	var m sync.RWMutex
	value, sum := 0, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			local := 0
			for i := range n / 8 {
				if i%100 == 0 {
					m.Lock()
					value++
					m.Unlock()
				} else {
					m.RLock()
					local += value
					m.RUnlock()
				}
			}
			m.Lock()
			sum += local
			m.Unlock()
		})
	}
	wg.Wait()
}

// Groups of ten.
func waitGroups(n int) {
	for range n / 10 {
		var wg sync.WaitGroup
		wg.Add(10)
		for range 10 {
			go wg.Done()
		}
		wg.Wait()
	}
}

func timers(n int) {
	all := make([]*time.Timer, n)
	for i := range all {
		all[i] = time.NewTimer(time.Hour + time.Duration(i*7919%n)*time.Microsecond)
	}
	for _, t := range all {
		t.Stop()
	}
}

func timeOf(program func(n int), n int) int {
	program(min(n, 10000)) // warm
	start := time.Now()
	program(n)
	return int(time.Since(start).Nanoseconds())
}

func main() {
	if len(os.Args) != 4 {
		fmt.Println(slices.Sorted(maps.Keys(programs)), slices.Sorted(maps.Keys(figures)))
		os.Exit(2)
	}
	n := must(strconv.Atoi(os.Args[2]))
	runtime.GOMAXPROCS(must(strconv.Atoi(os.Args[3])))
	if figure, ok := figures[os.Args[1]]; ok {
		fmt.Println(figure(n))
	} else {
		fmt.Println(timeOf(programs[os.Args[1]], n))
	}
}
