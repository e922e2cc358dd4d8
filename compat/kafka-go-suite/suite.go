// Package suite names the package whose tests are run, so that the module requires it.
package suite

import _ "github.com/segmentio/kafka-go"
