package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	etcdName        = "etcd"
	apiServerName   = "kube-apiserver"
	controllersName = "controllers"

	// startTimeout is generous: a cluster starts in seconds, but the machine may be compiling meanwhile.
	startTimeout = 3 * time.Minute
)

// up runs a cluster until it is told to end, or until one of its processes ends by itself.
func up(args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory of the cluster; made if absent")
	stdin := flags.Bool("stdin", false, "take `stop NAME`, `start NAME` and `forget GROUP` from stdin, and end when it closes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("up needs --dir")
	}

	runtime.LockOSThread() // see diesWithParent
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	commands := make(chan string)
	if *stdin {
		go readCommands(os.Stdin, commands, cancel)
	}

	unlock, err := lock(filepath.Join(*dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	cluster, err := newCluster(*dir)
	if err != nil {
		return err
	}
	defer cluster.down()
	if err := cluster.up(ctx); err != nil {
		return endedOr(ctx, err)
	}
	fmt.Printf("ready: KUBECONFIG=%s\n", cluster.files.kubeconfig)
	return endedOr(ctx, cluster.serve(ctx, commands))
}

// endedOr turns errors that come from being told to end into a good end.
func endedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func readCommands(in io.Reader, commands chan<- string, closed func()) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		commands <- lines.Text()
	}
	closed()
}

// serve answers each command with one line, and watches over the children.
func (c *cluster) serve(ctx context.Context, commands <-chan string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.etcd.done:
			return c.etcd.died()
		case <-c.apiServer.done:
			return c.apiServer.died()
		case <-c.controllers.done:
			return c.controllers.died()
		case command := <-commands:
			if err := c.obey(ctx, command); err != nil {
				fmt.Println("error:", err)
			} else {
				fmt.Println("ok")
			}
		}
	}
}

func (c *cluster) obey(ctx context.Context, command string) error {
	verb, name, _ := strings.Cut(command, " ")
	child := c.child(name)
	switch {
	case verb == "forget":
		return c.forget(ctx, name)
	case child == nil:
		return fmt.Errorf("there is no %q", name)
	case verb == "stop":
		child.kill()
		return c.writePids()
	case verb == "start":
		return c.start(ctx, child)
	default:
		return fmt.Errorf("%q is none of stop, start and forget", verb)
	}
}

// lock keeps two clusters out of one directory. The kernel gives it back however its holder ends.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("a cluster is already running in %s", filepath.Dir(path))
	}
	return func() { os.Remove(path); file.Close() }, nil
}
