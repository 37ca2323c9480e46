package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// child is a process of this same binary under another name.
type child struct {
	name string
	log  string // the file with its output
	args []string

	command *exec.Cmd
	done    chan struct{} // closed when it has ended; nil while it is not meant to run
}

func newChild(dir, name string, args ...string) *child {
	return &child{name: name, log: filepath.Join(dir, name+".log"), args: args}
}

func (c *child) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own

	c.command = &exec.Cmd{Path: self, Args: append([]string{c.name}, c.args...), Stdout: log, Stderr: log}
	c.command.SysProcAttr = diesWithParent()
	if err := c.command.Start(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	command, done := c.command, make(chan struct{})
	go func() {
		command.Wait()
		close(done)
	}()
	c.done = done
	return nil
}

// kill ends the child at once: what it would save on an orderly way out is thrown away with the cluster.
func (c *child) kill() {
	if c.done == nil {
		return
	}
	c.command.Process.Signal(syscall.SIGKILL)
	<-c.done
	c.done = nil
}

// running is also true of a child that ended by itself, until somebody has noticed.
func (c *child) running() bool {
	return c.done != nil
}

func (c *child) pid() int {
	return c.command.Process.Pid
}

// died says how it ended, with the last lines of its log.
func (c *child) died() error {
	const shown = 20
	log, _ := os.ReadFile(c.log)
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	tail := lines[max(0, len(lines)-shown):]
	return fmt.Errorf("%s ended (%s); the last lines of %s:\n%s", c.name, c.command.ProcessState, c.log, strings.Join(tail, "\n"))
}
