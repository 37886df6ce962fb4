//! A bound query: names are places, every expression has a type, conversions are explicit.

use std::rc::Rc;

use crate::query::collation::Collation;
use crate::query::functions::Builtin;
use crate::value::{Column, SqlType, Value};

/// A row.
pub(crate) type Row = Vec<Value>;

/// An expression with its type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// What it is.
    pub(crate) node: Node,
    /// Its type.
    pub(crate) sql_type: SqlType,
    /// Whether it may be NULL.
    pub(crate) nullable: bool,
    /// The collation that COLLATE gave it.
    pub(crate) collation: Option<Collation>,
}

impl Scalar {
    /// An expression that may be NULL.
    pub(crate) fn new(node: Node, sql_type: SqlType) -> Self {
        Self {
            node,
            sql_type,
            nullable: true,
            collation: None,
        }
    }

    /// A constant.
    pub(crate) fn constant(value: Value, sql_type: SqlType) -> Self {
        Self {
            nullable: value == Value::Null,
            node: Node::Constant(value),
            sql_type,
            collation: None,
        }
    }

    /// Whether it is the word NULL, which has no type of its own.
    pub(crate) fn is_null(&self) -> bool {
        self.node == Node::Constant(Value::Null)
    }
}

/// What an expression does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// A literal, or what does not change while the query runs.
    Constant(Value),
    /// A column of the row `depth` queries outside.
    Column {
        /// 0 for the innermost.
        depth: usize,
        /// Place in the row.
        index: usize,
    },
    /// A window function's value for the current row.
    Window(usize),
    /// A variable.
    Variable(String),
    /// Its operand in the type of the expression.
    Convert {
        /// What is converted.
        operand: Box<Scalar>,
        /// CONVERT's style.
        style: Option<Box<Scalar>>,
        /// TRY_CAST: NULL where it fails.
        lenient: bool,
    },
    /// `left op right`, both already numbers of fitting types.
    Arithmetic(Arithmetic, Box<Scalar>, Box<Scalar>),
    /// `text + text`, `bytes + bytes`.
    Concatenate(Box<Scalar>, Box<Scalar>),
    /// Days added to a `datetime`, or taken from it.
    Days(Box<Scalar>, Box<Scalar>, bool),
    /// `-operand`.
    Negate(Box<Scalar>),
    /// `~operand`.
    Complement(Box<Scalar>),
    /// CASE: the first branch whose condition holds.
    Case(Vec<(Predicate, Scalar)>, Option<Box<Scalar>>),
    /// The first that is not NULL.
    Coalesce(Vec<Scalar>),
    /// A function of ours.
    Call(&'static Builtin, Vec<Scalar>),
    /// A function of [`super::Names`].
    Session(String, Vec<Scalar>),
    /// A query that gives one value.
    Subquery(Box<Plan>),
}

/// Operators on numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    And,
    Or,
    Xor,
}

/// A condition, true, false or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Predicate {
    /// All hold.
    And(Vec<Predicate>),
    /// One holds.
    Or(Vec<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
    /// A comparison of two values of one type.
    Compare(Comparison, Scalar, Scalar, Collation),
    /// IS NULL.
    IsNull(Scalar),
    /// LIKE with its pattern and the escape character.
    Like(Scalar, Scalar, Option<Scalar>, Collation),
    /// IN a list of values of the operand's type.
    In(Scalar, Vec<Scalar>, Collation),
    /// IN, = ANY, > ALL: a value against the only column of a query.
    Quantified {
        /// The value.
        operand: Box<Scalar>,
        /// How it is compared.
        comparison: Comparison,
        /// With all rows, not with one.
        all: bool,
        /// The query.
        plan: Box<Plan>,
        /// The type both meet in.
        sql_type: SqlType,
        /// Of text.
        collation: Collation,
    },
    /// EXISTS.
    Exists(Box<Plan>),
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Whether an order fulfils it.
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Its number in the statement.
    pub(crate) id: usize,
    /// Whether it names columns of a query around it.
    pub(crate) correlated: bool,
    /// Columns of the result; rows of the body may have more, for ordering.
    pub(crate) columns: Vec<Column>,
    /// Where rows come from.
    pub(crate) body: Body,
    /// ORDER BY over columns of the body.
    pub(crate) order: Vec<SortKey>,
    /// TOP.
    pub(crate) top: Option<Top>,
    /// OFFSET.
    pub(crate) offset: Option<Scalar>,
    /// FETCH.
    pub(crate) fetch: Option<Scalar>,
}

/// A key of a sort: a place in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SortKey {
    pub(crate) index: usize,
    pub(crate) descending: bool,
    pub(crate) sql_type: SqlType,
    pub(crate) collation: Collation,
}

/// TOP.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Top {
    pub(crate) count: Scalar,
    pub(crate) percent: bool,
    pub(crate) with_ties: bool,
}

/// Where the rows of a query come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// SELECT.
    Select(Box<Select>),
    /// VALUES.
    Values(Vec<Vec<Scalar>>),
    /// UNION, EXCEPT, INTERSECT, both sides already of the result's types.
    Set(SetOperation, Box<Plan>, Box<Plan>),
}

/// How two results become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetOperation {
    UnionAll,
    Union,
    Except,
    Intersect,
}

/// SELECT.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Select {
    pub(crate) from: From,
    pub(crate) filter: Option<Predicate>,
    pub(crate) grouping: Option<Grouping>,
    pub(crate) having: Option<Predicate>,
    pub(crate) windows: Vec<Window>,
    /// The result's columns, then those that only ORDER BY needs.
    pub(crate) outputs: Vec<Scalar>,
    /// How many of them are the result's.
    pub(crate) visible: usize,
    pub(crate) distinct: bool,
    /// `@a = expression`: for each output the variable.
    pub(crate) assigns: Vec<String>,
}

/// GROUP BY and aggregates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Grouping {
    /// None: one group of all rows, even of none.
    pub(crate) keys: Vec<Scalar>,
    pub(crate) aggregates: Vec<Aggregate>,
}

/// Aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// COUNT, COUNT_BIG: rows where `operand` is not NULL.
    Count,
    Sum,
    Min,
    Max,
    Avg,
    /// STRING_AGG.
    Join,
}

/// An aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) fold: Fold,
    /// `None` is `*`.
    pub(crate) operand: Option<Scalar>,
    /// STRING_AGG's second argument.
    pub(crate) separator: Option<Scalar>,
    /// WITHIN GROUP.
    pub(crate) order: Vec<OrderItem>,
    pub(crate) distinct: bool,
    pub(crate) sql_type: SqlType,
}

/// An item of ORDER BY in a window or in WITHIN GROUP.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderItem {
    pub(crate) operand: Scalar,
    pub(crate) descending: bool,
}

/// What a window function computes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WindowFunction {
    RowNumber,
    Rank,
    DenseRank,
    /// NTILE.
    Tile(Scalar),
    /// LAG (negative) and LEAD: operand, distance, what stands for a row that is not there.
    Shift {
        operand: Scalar,
        distance: Scalar,
        backward: bool,
        default: Option<Scalar>,
    },
    FirstValue(Scalar),
    LastValue(Scalar),
    Aggregate(Aggregate),
}

/// A window function with its window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) function: WindowFunction,
    pub(crate) partition: Vec<Scalar>,
    pub(crate) order: Vec<OrderItem>,
    pub(crate) frame: Frame,
    pub(crate) sql_type: SqlType,
}

/// Rows of a partition that a window function sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// All of them.
    Whole,
    /// From the first to the last one that is equal in order: RANGE, the default with ORDER BY.
    ToPeers,
    /// ROWS from and to: rows relative to the current one; `None` is unbounded.
    Rows(Option<i64>, Option<i64>),
}

/// FROM.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum From {
    /// Without FROM: one row without columns.
    Nothing,
    /// A table as it was when the query was bound.
    Table(Rc<Vec<Row>>),
    /// A table function with arguments from outside or from the left.
    Function {
        parts: Vec<String>,
        arguments: Vec<Scalar>,
        width: usize,
    },
    /// A derived table or a common table expression.
    Derived(Box<Plan>),
    /// A join.
    Join(Box<Join>),
}

/// How rows without a partner are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// A join.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) left: From,
    pub(crate) right: From,
    pub(crate) left_width: usize,
    pub(crate) right_width: usize,
    /// The right side sees the left row: APPLY.
    pub(crate) lateral: bool,
    /// Equalities of a left and a right expression; the right one is over the right row alone.
    pub(crate) equalities: Vec<Equality>,
    /// The whole condition, over left and right together.
    pub(crate) on: Option<Predicate>,
}

/// `left = right`, both of one type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Equality {
    pub(crate) left: Scalar,
    pub(crate) right: Scalar,
    pub(crate) collation: Collation,
}
