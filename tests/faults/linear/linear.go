// linear checks a recorded history of one ensemble's nodes with Porcupine: is there one order of all operations, each between its call and its
// answer, in which every answer is right?
//
//	example: build/faults/linear history.jsonl
//
// Exit 0: linearizable; 1: not (the key and its operations are printed); 2: usage, or no answer within the time limit.
//
// The model is one node: absent, or a value with a version. An operation whose answer was lost has no return: it may take effect at any later
// time or never, which standing at the history's end amounts to.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

const limit = 60 * time.Second

// operation is one line of a history. Times are nanoseconds; Return is 0 when the answer was lost.
type operation struct {
	Client  int    `json:"client"`
	Key     string `json:"key"`
	Op      string `json:"op"`      // create, set, delete, get
	Value   string `json:"value"`   // written, or read
	Expect  int    `json:"expect"`  // the version that set and delete ask for, -1 for any
	Version int    `json:"version"` // that set and get answered
	Result  string `json:"result"`  // OK, NONODE, NODEEXISTS, BADVERSION
	Call    int64  `json:"call"`
	Return  int64  `json:"return"`
}

type node struct {
	exists  bool
	version int
	value   string
}

// apply gives the answer and the node afterwards.
func apply(n node, o operation) (string, node) {
	switch {
	case o.Op == "create" && n.exists:
		return "NODEEXISTS", n
	case o.Op == "create":
		return "OK", node{true, 0, o.Value}
	case !n.exists:
		return "NONODE", n
	case o.Op == "get":
		return "OK", n
	case o.Expect != -1 && o.Expect != n.version:
		return "BADVERSION", n
	case o.Op == "set":
		return "OK", node{true, n.version + 1, o.Value}
	}
	return "OK", node{}
}

func step(state, input, _ interface{}) (bool, interface{}) {
	o := input.(operation)
	result, after := apply(state.(node), o)
	if o.Return == 0 {
		return true, after
	}
	right := result == o.Result
	if right && result == "OK" && (o.Op == "get" || o.Op == "set") {
		right = after.version == o.Version && after.value == o.Value
	}
	return right, after
}

func read(path string) (map[string][]porcupine.Operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	keys := map[string][]porcupine.Operation{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o operation
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return nil, err
		}
		end := o.Return
		if end == 0 {
			end = math.MaxInt64
		}
		keys[o.Key] = append(keys[o.Key], porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Call, Return: end})
	}
	return keys, lines.Err()
}

func show(operations []porcupine.Operation) {
	sort.Slice(operations, func(i, j int) bool { return operations[i].Call < operations[j].Call })
	for _, operation := range operations {
		line, _ := json.Marshal(operation.Input)
		fmt.Printf("  %s\n", line)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "linear: error: USAGE: one history is wanted (hint: linear history.jsonl)")
		os.Exit(2)
	}
	keys, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "linear: error: HISTORY: %v (hint: one JSON object a line)\n", err)
		os.Exit(2)
	}
	model := porcupine.Model{Init: func() interface{} { return node{} }, Step: step}
	deadline, all, exit := time.Now().Add(limit), 0, 0
	for key, operations := range keys {
		all += len(operations)
		left := time.Until(deadline)
		if left < time.Millisecond {
			left = time.Millisecond
		}
		switch porcupine.CheckOperationsTimeout(model, operations, left) {
		case porcupine.Illegal:
			fmt.Printf("%s is not linearizable:\n", key)
			show(operations)
			exit = 1
		case porcupine.Unknown:
			fmt.Fprintf(os.Stderr, "linear: error: TIME: %s with %d operations takes too long (hint: fewer operations, or lost answers, a key)\n", key, len(operations))
			if exit == 0 {
				exit = 2
			}
		}
	}
	fmt.Printf("%d operations on %d nodes\n", all, len(keys))
	os.Exit(exit)
}
