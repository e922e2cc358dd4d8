# shellcheck shell=bash
# What suites take from package registries, fetched anew when the file that names it is newer. A `run.sh` sources this.

# fetch_jars POM FOLDER [ARGUMENT...]: the jars of a Maven project, into a folder; the arguments are Maven's.
fetch_jars() {
  local pom=$1 libs=$2
  shift 2
  [[ $libs/whole -nt $pom ]] && return
  mvn -q -B -f "$pom" dependency:copy-dependencies "$@" "-DoutputDirectory=$libs" >&2 || return
  touch "$libs/whole"
}

# fetch_venv REQUIREMENTS FOLDER: Python with the packages that a requirements.txt names.
fetch_venv() {
  cmp -s "$1" "$2/requirements.txt" && return
  rm -rf "$2"
  python3 -m venv "$2" && "$2/bin/pip" install -q -r "$1" && cp "$1" "$2/requirements.txt"
}

# fetch_node_modules PROJECT FOLDER: the packages that a Node project's package.json names, into the folder's node_modules.
fetch_node_modules() {
  mkdir -p "$2" && cp "$1"/package*.json "$2/" || return
  cmp -s "$1/package.json" "$2/node_modules/installed.json" && return
  (cd "$2" && npm install --silent --no-audit --no-fund) && cp "$1/package.json" "$2/node_modules/installed.json"
}
