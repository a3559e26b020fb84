/* list.h -- doubly linked rings: a head and members that carry a struct list. No locks: the owner of the list has one.
 * A member that is on no list points to itself after list_init() and list_remove(). */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list { struct list *next, *prev; };

#define LIST_INIT(head) { &(head), &(head) }

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_between(struct list *l, struct list *prev, struct list *next)
{
    l->prev = prev;
    l->next = next;
    prev->next = l;
    next->prev = l;
}

/* list_push_front, list_push_back -- put `l`, which is on no list, first or last. */
static inline void list_push_front(struct list *head, struct list *l) { list_insert_between(l, head, head->next); }
static inline void list_push_back(struct list *head, struct list *l) { list_insert_between(l, head->prev, head); }

/* list_remove -- take `l` out of the list it is on, or do nothing when it is on none. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

/* list_first -- the first member as a `type`, or NULL when the list is empty. */
#define list_first(head, type, member) \
    (list_empty(head) ? (type *)NULL : list_entry((head)->next, type, member))

#define list_for_each(item, head, member) \
    for (item = list_entry((head)->next, __typeof__(*item), member); &(item)->member != (head); \
         item = list_entry((item)->member.next, __typeof__(*item), member))

#define list_for_each_reverse(item, head, member) \
    for (item = list_entry((head)->prev, __typeof__(*item), member); &(item)->member != (head); \
         item = list_entry((item)->member.prev, __typeof__(*item), member))

/* The body may remove `item`. */
#define list_for_each_safe(item, tmp, head, member) \
    for (item = list_entry((head)->next, __typeof__(*item), member), \
         tmp = list_entry((item)->member.next, __typeof__(*item), member); &(item)->member != (head); \
         item = tmp, tmp = list_entry(tmp->member.next, __typeof__(*item), member))

#endif
